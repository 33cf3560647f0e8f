# Postwagen in one image; the command says which part of it runs (see docker-compose.yml).
#   docker build -t postwagen .
#   docker run -p 127.0.0.1:8025:8025 -v postwagen-data:/var/lib/postwagen postwagen

FROM python:3.13-slim-bookworm AS base
ENV PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1


# --- build: the locked packages, hash by hash, then our own wheel --------------------------------------------------
FROM base AS build
WORKDIR /build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_ROOT_USER_ACTION=ignore PIP_NO_CACHE_DIR=1

COPY tools/pip-*.whl ./tools/
COPY requirements/runtime.txt requirements/build.txt ./requirements/
RUN set -eu; pip=$(echo tools/pip-*.whl)/pip; \
    python -m venv --without-pip /app; \
    /app/bin/python "$pip" install --quiet --require-hashes --only-binary :all: -r requirements/runtime.txt; \
    python -m venv --without-pip /builder; \
    /builder/bin/python "$pip" install --quiet --require-hashes --only-binary :all: -r requirements/build.txt

COPY pyproject.toml LICENSE ./
COPY migrator ./migrator
COPY worker ./worker
COPY web ./web
RUN set -eu; pip=$(echo tools/pip-*.whl)/pip; \
    if [ -d web/translations ]; then /app/bin/pybabel --quiet compile --directory web/translations; fi; \
    /builder/bin/python "$pip" wheel --quiet --no-deps --no-index --no-build-isolation --wheel-dir /wheel .; \
    /app/bin/python "$pip" install --quiet --no-deps --no-index /wheel/postwagen-*.whl; \
    /app/bin/python -m compileall -q /app/lib


# --- the image: no pip, no compiler, no root -----------------------------------------------------------------------
FROM base
LABEL org.opencontainers.image.title="Postwagen" org.opencontainers.image.licenses="Apache-2.0"

RUN python -m pip uninstall --quiet --yes pip \
    && groupadd --system --gid 10001 postwagen \
    && useradd --system --uid 10001 --gid postwagen --home-dir /var/lib/postwagen --shell /usr/sbin/nologin postwagen \
    && install --directory --owner=postwagen --group=postwagen --mode=0700 /var/lib/postwagen

COPY --from=build /app /app
ENV PATH=/app/bin:$PATH POSTWAGEN_DATA_DIR=/var/lib/postwagen

USER 10001:10001
WORKDIR /var/lib/postwagen
VOLUME /var/lib/postwagen
EXPOSE 8025

# For what serves pages. Parts that do not say so themselves (docker-compose.yml).
HEALTHCHECK --interval=30s --timeout=5s --start-period=60s --retries=3 \
    CMD ["python", "-c", "import urllib.request as r; r.urlopen('http://127.0.0.1:8025/healthz', timeout=4)"]

ENTRYPOINT ["postwagen"]
CMD ["serve", "--host", "0.0.0.0"]

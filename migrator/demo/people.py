"""Pure. The people and houses that write to a small joinery: all invented, every domain ends in .example."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Contact:
    """Somebody who writes: display name, address, how one addresses them, company ("" for private people), kind."""

    name: str
    address: str
    call: str
    house: str
    kind: str

    @property
    def domain(self) -> str:
        return self.address.partition("@")[2]


OWNER_NAME: Final = "Tischlerei Müller & Söhne"
OWNER_SIGNATURE: Final = (
    "-- \nTischlerei Müller & Söhne GmbH\nAm Hobelwerk 3, 99999 Brettenau\n"
    "Telefon 0171 3920017 · Werkstatt Mo–Fr 7–16 Uhr\nGeschäftsführerin: Tilda Müller"
)

BAKERY: Final = Contact(
    "Leonore Quittenbaum",
    "backstube@baeckerei-groessenwahn.example",
    "Frau Quittenbaum",
    "Bäckerei Größenwahn",
    "kunde",
)
BAKERY_OFFICE: Final = Contact(
    "Matthis Kornfeld", "buero@baeckerei-groessenwahn.example", "Herr Kornfeld", "Bäckerei Größenwahn", "kunde"
)
NAMESAKE: Final = Contact(
    "Svenja Rohrbeck", "rohrbeck@haustechnik-mueller.example", "Frau Rohrbeck", "Müller & Söhne Haustechnik", "kunde"
)
NAMESAKE_BOSS: Final = Contact(
    "Gerrit Müller", "g.mueller@haustechnik-mueller.example", "Herr Müller", "Müller & Söhne Haustechnik", "kunde"
)
CAFE: Final = Contact(
    "Paulina Regenbrecht", "hallo@cafe-wolkenbruch.example", "Frau Regenbrecht", "Café Wolkenbruch", "kunde"
)

CUSTOMERS: Final = (
    BAKERY,
    BAKERY_OFFICE,
    NAMESAKE,
    NAMESAKE_BOSS,
    CAFE,
    Contact(
        "Dr. Isolde Falkentritt",
        "praxis@zahn-am-muehlgraben.example",
        "Frau Dr. Falkentritt",
        "Zahnarztpraxis am Mühlgraben",
        "kunde",
    ),
    Contact(
        "Bärbel Sonnabend-Lütje",
        "leitung@kita-loewenzahnrakete.example",
        "Frau Sonnabend-Lütje",
        "Kita Löwenzahnrakete",
        "kunde",
    ),
    Contact("Ansgar Weißenfluh", "a.weissenfluh@halbermond.example", "Herr Weißenfluh", "Hotel Halber Mond", "kunde"),
    Contact("Jördis Ellerkamp", "joerdis@ellerkamp.example", "Frau Ellerkamp", "", "kunde"),
)
SUPPLIERS: Final = (
    Contact(
        "Torben Eichgrund",
        "verkauf@holzhandel-eichgrund.example",
        "Herr Eichgrund",
        "Holzhandel Eichgrund",
        "lieferant",
    ),
    Contact("Ulrike Dübbers", "u.duebbers@scharnierhaus.example", "Frau Dübbers", "Scharnierhaus Dübbers", "lieferant"),
    Contact("Lackiererei Glanzwerk", "auftrag@glanzwerk.example", "zusammen", "Lackiererei Glanzwerk", "lieferant"),
)
OFFICES: Final = (
    Contact(
        "Henrike Sollmann",
        "sollmann@kanzlei-rechenschieber.example",
        "Frau Sollmann",
        "Steuerkanzlei Rechenschieber",
        "amt",
    ),
    Contact(
        "Tischlerinnung Brettenau",
        "geschaeftsstelle@innung-brettenau.example",
        "zusammen",
        "Tischlerinnung Brettenau",
        "amt",
    ),
    Contact("Wilko Harms", "support@nordpol-hosting.example", "Herr Harms", "Nordpol Hosting", "amt"),
)
ABROAD: Final = (
    Contact("Fiona McCradle", "fiona@oakandember.example", "Fiona", "Oak & Ember Gallery", "abroad"),
    Contact("Linus Bergqvist", "linus@nordtimmer.example", "Linus", "Nordtimmer AB", "abroad"),
    Contact("Northquay Forwarding", "ops@northquay.example", "all", "Northquay Forwarding", "abroad"),
)
FAMILY: Final = (
    Contact("Oma Trudi", "trudi@familie-mueller.example", "Oma", "", "familie"),
    Contact("Jonas Müller", "jonas@familie-mueller.example", "Jonas", "", "familie"),
    Contact("Friederike Aßmann", "rike@assmann-online.example", "Rike", "", "familie"),
    Contact("Onkel Heinz", "heinz.mueller@modellbahnkeller.example", "Heinz", "", "familie"),
)
JAPAN: Final = (
    Contact("山影旅館", "yoyaku@ryokan-yamakage.example", "森之上様", "山影旅館", "japan"),
    Contact("森之上 はるか", "haruka@morinoue.example", "Haruka", "", "japan"),
)
EVERYBODY: Final = (*CUSTOMERS, *SUPPLIERS, *OFFICES, *ABROAD, *FAMILY, *JAPAN)

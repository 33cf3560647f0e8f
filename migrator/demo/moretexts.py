"""Pure. Single letters: family, travel, drafts, notices, newsletters and junk. Placeholders as in `texts`."""

from typing import Final

FAMILY: Final = (
    (
        "Sonntagsessen",
        (
            "Hallo ihr Lieben,\n\nam Sonntag gibt es Rouladen, und ich habe wieder für zwölf gekocht statt für sechs."
            " Wer kommt? Bitte bis Freitag Bescheid sagen, sonst friere ich ein."
        ),
    ),
    (
        "Fotos vom Taufwochenende",
        (
            "Hallo zusammen,\n\nendlich habe ich die Bilder sortiert. Auf Nummer drei schläft Onkel Heinz."
            " Ich habe sie klein gerechnet, die großen bringe ich auf dem Stick mit."
        ),
    ),
    (
        "Re: Wer holt Oma ab?",
        (
            "Ich kann am {tag} ab {zeit}, vorher ist Elternabend. Wenn es glatt ist, nehme ich den Bus und wir"
            " laufen das letzte Stück."
        ),
    ),
    (
        "Modellbahn, Abzweig 7",
        (
            "Moin,\n\nder Abzweig 7 schaltet wieder. Es war tatsächlich nur ein kalter Lötpunkt. Die Brücke aus"
            " eurer Werkstatt passt auf den Millimeter, danke dafür."
        ),
    ),
    (
        "Klassentreffen",
        (
            "Liebe alle,\n\nes ist so weit, zwanzig Jahre! Der Saal ist am zweiten Samstag im Juni reserviert."
            " Weiß jemand, was aus der Schülerzeitung geworden ist?"
        ),
    ),
    (
        "Rezept Zwetschgendatschi",
        (
            "Wie versprochen: ein Kilo Zwetschgen, Hefeteig, Zimt und ganz wenig Zucker. Das Geheimnis ist,"
            " den Teig zweimal gehen zu lassen. Bei 200 Grad etwa 35 Minuten."
        ),
    ),
    (
        "Der Hund",
        (
            "Er hat den linken Schuh gefressen. Nur den linken. Den rechten hat er ins Körbchen gelegt, als wäre es"
            " Absicht."
        ),
    ),
    (
        "Geburtstag von Jonas",
        (
            "Pst, nichts verraten: Wir legen für ein Fahrrad zusammen. Bisher sind {betrag} im Topf. Wer noch"
            " mitmachen möchte, meldet sich bei mir, aber bitte nicht über das Familientelefon."
        ),
    ),
)
JAPAN: Final = (
    (
        "ご予約確認（予約番号 {nr}）",
        (
            "ミュラー様\n\nこの度は山影旅館をご予約いただき、誠にありがとうございます。\n二名様、二泊、朝夕のお食事"
            "付きで承りました。\n最寄りのバス停までお迎えに上がりますので、到着時刻をお知らせください。\n\n山影旅館"
            "　予約係"
        ),
    ),
    (
        "Re: 大工道具の博物館",
        (
            "Liebe Tilda,\n\ndas Museum für Zimmermannswerkzeug (大工道具館) hat dienstags geschlossen, wir gehen also"
            " am Mittwoch. Nimm bequeme Schuhe mit, die man leicht ausziehen kann. 楽しみにしています！"
        ),
    ),
    (
        "Zugfahrplan und Fahrkarten",
        (
            "Liebe Tilda,\n\nder Zug fährt um 9:03, und er fährt wirklich um 9:03. Die Platzkarten habe ich"
            " schon: Wagen 7, Plätze 12 D und E, auf der Seite mit dem Berg (富士山側)."
        ),
    ),
    (
        "鉋のお土産について",
        (
            "ティルダさん\n\nご依頼の鉋（かんな）は、三条の鍛冶屋さんにお願いしました。\n仕上がりは来月の予定です。"
            "刃の幅は七十ミリでよろしいでしょうか。\n\nはるか"
        ),
    ),
    (
        "Your stay with us",
        (
            "Dear Ms Müller,\n\nthank you for your question. The bath is open from five in the morning until eleven at"
            " night, and the river side is reserved for ladies until nine. Vegetarian dinner is no trouble at all."
        ),
    ),
)
DRAFTS: Final = (
    (
        "Angebot Vordach",
        (
            "Guten Tag Herr Weißenfluh,\n\nanbei das Angebot für das Vordach. Der Preis setzt sich zusammen aus\n\n"
            "TODO: Zahlen von Torben abwarten"
        ),
    ),
    ("", "Liebe Rike,\n\nich wollte dir schon lange schreiben, dass"),
    (
        "Stellenanzeige Tischlergeselle (m/w/d)",
        (
            "Wir sind zu siebt, bauen Möbel, die man vererbt, und fangen um sieben an."
            " Freitags ist um eins Schluss.\n\nVariante B: Freitags grillen wir."
        ),
    ),
    (
        "Text für die Website",
        "Seit drei Generationen Holz. (klingt komisch?)\n\nAus {holz} wird Zuhause. (noch schlimmer)",
    ),
    ("Beschwerde Parkplatz", "Sehr geehrte Damen und Herren,\n\nzum dritten Mal in diesem Monat"),
    ("Einkaufsliste Betriebsausflug", "60 Brötchen, 4 kg Kartoffelsalat, Senf (der scharfe), Sonnencreme, Pflaster"),
)
NOTICES: Final = (
    (
        "Ihr Kontoauszug liegt bereit",
        "Sparbank Brettenau <postfach@sparbank-brettenau.example>",
        (
            "Guten Tag,\n\nin Ihrem elektronischen Postfach liegt ein neuer Kontoauszug. Aus Sicherheitsgründen"
            " enthält diese Nachricht keinen Link. Bitte melden Sie sich wie gewohnt an."
        ),
    ),
    (
        "Sendung {nr} wird heute zugestellt",
        "Paketdienst Schnurstracks <zustellung@schnurstracks.example>",
        (
            "Ihr Paket mit der Nummer {nr} wird heute zwischen 10 und 14 Uhr zugestellt. Ablageort laut Ihrem Auftrag:"
            ' "Werkstatt, hinter der Hobelbank".'
        ),
    ),
    (
        "[Monitor] Festplatte zu 81 % belegt",
        "Datensicherung <root@werkstatt.mueller-soehne.example>",
        (
            "Filesystem      Size  Used Avail Use% Mounted on\n/dev/sda1       458G  371G   87G  81%"
            " /srv/zeichnungen\n\nLetzte Sicherung: erfolgreich, 4 Stunden 12 Minuten"
        ),
    ),
    (
        "Neue Nachricht über das Kontaktformular",
        "Website <formular@mueller-soehne.example>",
        (
            "Name: Jördis Ellerkamp\nTelefon: 0171 3920044\nNachricht:\nBauen Sie auch {stueck} nach Maß? Bitte"
            " rufen Sie am {tag} gegen {zeit} an."
        ),
    ),
    (
        "Ihr Anruf von heute, Sprachnachricht (0:42)",
        "Telefonanlage <voicebox@fernsprech.example>",
        (
            "Sie haben eine neue Sprachnachricht von 0171 3920081. Dauer: 42 Sekunden. Die Aufnahme hängt an dieser"
            " E-Mail."
        ),
    ),
)
NEWSLETTERS: Final = (
    ("Holz & Werk: Die Ausgabe {nr} ist da", "Holz & Werk <redaktion@holzundwerk.example>", "holzundwerk.example"),
    (
        "Scharnierhaus-Rundbrief: Neues aus dem Lager",
        "Scharnierhaus <rundbrief@scharnierhaus.example>",
        "scharnierhaus.example",
    ),
    (
        "Innung aktuell {jahr}",
        "Tischlerinnung Brettenau <rundbrief@innung-brettenau.example>",
        "innung-brettenau.example",
    ),
    ("The Slow Workshop, letter no. {nr}", "The Slow Workshop <post@slowworkshop.example>", "slowworkshop.example"),
)
NEWS: Final = (
    "Handgehobelte Flächen kommen zurück: Drei Werkstätten erzählen, warum sie den Bandschleifer öfter stehen lassen.",
    "Im Praxistest schneiden zwölf Holzleime gegeneinander ab, und der günstigste landet überraschend auf Platz zwei.",
    (
        "Ab Januar gelten neue Regeln für die Entsorgung von Altholz der Klasse A IV; wir haben die Änderungen"
        " zusammengefasst."
    ),
    "Leserfrage des Monats: Wie bekommt man Harzgallen aus einer Lärchendiele, ohne die ganze Fläche abzuschleifen?",
    (
        "Aus der Meisterschule: Ein Sekretär mit siebzehn Geheimfächern, von denen der Prüfungsausschuss vierzehn"
        " gefunden hat."
    ),
    "This month we visit a boatyard where every plank is still steamed in a box older than its owner.",
    "Sharpening is slower than you think and faster than you fear: a short course in five pictures.",
    "Termine: Holzmesse im Frühjahr, Drechslertage im Mai, offene Werkstätten an jedem ersten Samstag.",
    (
        "Zwischenlager für Massivholz: Warum 9 Prozent Feuchte im Winter richtig sind und im Sommer ein Wunschtraum"
        " bleiben."
    ),
    "Unser Angebot des Monats: Topfscharniere mit Dämpfung im Karton zu 50 Stück, solange der Vorrat reicht.",
)
JUNK: Final = (
    (
        "Sie haben gewonnen!!!",
        "Gewinnzentrale <glueck@millionen-sofort.example>",
        (
            "Herzlichen Glückwunsch!\n\nIhre E-Mail-Adresse wurde aus 4.000.000 Teilnehmern gezogen. Überweisen Sie"
            " nur {betrag} Bearbeitungsgebühr und der Sportwagen gehört Ihnen."
        ),
    ),
    (
        "Re: your unpaid inheritance",
        "Barrister Quentin Plumleigh <q.plumleigh@trusted-estates.example>",
        (
            "Dear beloved friend,\n\nI am the lawyer of a late customer who bears your family name. Kindly reply"
            " with your full particulars so that the sum of USD 9.5 million can be moved."
        ),
    ),
    (
        "Ihr Paket konnte nicht zugestellt werden",
        "Zustellung <no-reply@paket-service-info.example>",
        (
            "Sehr geehrter Kunde,\n\nes sind noch Zollgebühren in Höhe von 1,99 € offen. Klicken Sie innerhalb von"
            " 24 Stunden, sonst wird das Paket vernichtet."
        ),
    ),
    (
        "Letzte Mahnung – Konto gesperrt",
        "Sicherheitsabteilung <sicherheit@konto-pruefung.example>",
        (
            "Ihr Konto wurde eingeschränkt. Bestätigen Sie Ihre Daten, um die Sperrung aufzuheben. Dies ist eine"
            " automatische Nachricht."
        ),
    ),
    (
        "Pferdesalbe jetzt 70 % günstiger",
        "Apotheke Wunderwurz <angebot@wunderwurz.example>",
        "Millionen Rücken können nicht irren! Nur heute: drei Dosen zum Preis von zwei. Wirkt auch bei Pferden.",
    ),
    (
        "SEO ranking for your website",
        "Growth Team <growth@rank-rocket.example>",
        (
            "Hi,\n\nI went through your website and found 37 errors. We can put you on page one within nine days."
            " Shall we talk on {tag}?"
        ),
    ),
)

"""Pure. What people write to a small joinery, and what it answers: conversations as alternating turns.

Placeholders: {stueck} {der} {den} {dem} a piece of furniture, {holz} a wood, {raum} a room (genitive), {betrag} an
amount, {nr} a number, {tag} a weekday, {zeit} a time of day, {jahr} the year.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Conversation:
    """A subject and its turns; `we_begin` says who writes the first one, then both sides alternate."""

    subject: str
    turns: tuple[str, ...]
    kinds: tuple[str, ...]
    we_begin: bool = False


PIECES: Final = (
    ("Tresen", "der Tresen", "den Tresen", "dem Tresen"),
    ("Einbauschrank", "der Einbauschrank", "den Einbauschrank", "dem Einbauschrank"),
    ("Esstisch", "der Esstisch", "den Esstisch", "dem Esstisch"),
    ("Brotregal", "das Brotregal", "das Brotregal", "dem Brotregal"),
    ("Hochbett", "das Hochbett", "das Hochbett", "dem Hochbett"),
    ("Garderobe", "die Garderobe", "die Garderobe", "der Garderobe"),
    ("Sitzbank", "die Sitzbank", "die Sitzbank", "der Sitzbank"),
    ("Haustür", "die Haustür", "die Haustür", "der Haustür"),
)
WOODS: Final = ("Eiche", "Esche", "Kirsche", "Lärche", "Buche")
ROOMS: Final = (
    "des Verkaufsraums",
    "der Backstube",
    "des Wartezimmers",
    "der Küche",
    "des Gruppenraums",
    "des Empfangs",
)
DAYS: Final = ("Montag", "Dienstag", "Mittwoch", "Donnerstag", "Freitag")
TIMES: Final = ("7 Uhr", "halb neun", "10 Uhr", "13:30 Uhr", "15 Uhr")

GERMAN: Final = (
    Conversation(
        "Anfrage: {stueck} in {holz}",
        (
            (
                "wir planen den Umbau {raum} und brauchen dafür {den} in {holz}. Könnten Sie uns bis {tag} ein Angebot"
                " schicken?\n\nDie Maße stehen auf der Skizze, sie sind aber nur mit dem Zollstock genommen."
            ),
            (
                "vielen Dank für Ihre Anfrage. Unser Angebot Nr. {nr} beläuft sich auf {betrag} brutto. Darin"
                " enthalten sind Aufmaß, Lieferung und Montage, nicht aber die Elektroarbeiten. An den Preis halten"
                " wir uns sechs Wochen."
            ),
            (
                "das Angebot passt für uns, bitte planen Sie uns ein. Eine Frage noch: Kann die Kante abgerundet"
                " werden? Bei uns laufen viele Kinder herum."
            ),
            (
                "gern, die abgerundete Kante kostet nichts extra. Wir kommen am {tag} gegen {zeit} zum Aufmaß."
                " Bitte räumen Sie die Wand vorher frei, soweit es geht."
            ),
            "{tag}, {zeit}, ist notiert. Der Schlüssel liegt nebenan, falls ich noch auf dem Markt stehe.",
        ),
        ("kunde",),
    ),
    Conversation(
        "{stueck}: eine Schublade klemmt",
        (
            (
                "{der} steht jetzt seit zwei Wochen und alle sind begeistert. Nur die untere Schublade klemmt, seit"
                " es so feucht geworden ist. Muss man da nachstellen, oder gibt sich das?"
            ),
            (
                "das gibt sich leider nicht von allein. Das Holz hat noch gearbeitet, wir nehmen einen halben"
                " Millimeter ab. Passt es Ihnen am {tag} um {zeit}? Kosten entstehen Ihnen keine."
            ),
            "das ging ja schnell, danke! {tag} um {zeit} ist jemand da. Der Kaffee steht bereit.",
        ),
        ("kunde",),
    ),
    Conversation(
        "Montagetermin {stueck}",
        (
            (
                "{der} ist fertig und steht eingepackt in der Werkstatt. Wir würden gern am {tag} liefern und sind"
                " gegen {zeit} bei Ihnen. Können wir direkt vor der Tür halten?"
            ),
            (
                "am {tag} ist bei uns leider Inventur. Ginge es auch einen Tag später? Vor der Tür ist Halteverbot,"
                " aber der Hof ist frei, wenn Sie kurz durchklingeln."
            ),
            (
                "einen Tag später geht. Wir kommen zu dritt und brauchen etwa vier Stunden. Den alten Aufbau nehmen"
                " wir mit und entsorgen ihn, das steht schon im Angebot Nr. {nr}."
            ),
            "wunderbar, so machen wir es. Bitte denken Sie an die Abdeckleisten, die fehlten beim letzten Mal.",
        ),
        ("kunde",),
        True,
    ),
    Conversation(
        "Rückfrage zur Rechnung {nr}",
        (
            (
                "in Ihrer Rechnung {nr} stehen zwei Anfahrten, es war aber nur eine. Könnten Sie das bitte prüfen"
                " und uns gegebenenfalls eine korrigierte Fassung schicken? Den unstrittigen Teil überweisen wir"
                " schon einmal."
            ),
            (
                "Sie haben recht, die zweite Anfahrt gehörte zu einer anderen Baustelle. Die berichtigte Rechnung über"
                " {betrag} hängt an, bitte vernichten Sie die alte. Entschuldigen Sie das Durcheinander."
            ),
            "danke für die schnelle Klärung. Der Betrag ist heute angewiesen.",
        ),
        ("kunde", "amt"),
    ),
    Conversation(
        "Holzmuster {holz}",
        (
            (
                "wie am Telefon besprochen bringe ich Ihnen am {tag} drei Muster in {holz} vorbei: roh, geölt und"
                " gewachst. Bitte schauen Sie sie sich bei Tageslicht an, im Lampenlicht sehen alle drei gleich"
                " aus."
            ),
            (
                "wir haben die Muster zwei Tage auf der Fensterbank liegen lassen und uns für geölt entschieden. Meine"
                " Kollegin fragt, ob sich Kaffeeflecken wieder entfernen lassen."
            ),
            (
                "Kaffee ist kein Problem, solange er nicht über Nacht stehen bleibt. Notfalls schleifen wir die"
                " Stelle an und ölen nach. Ein Pflegeset legen wir dazu."
            ),
            "dann bleibt es bei geölt. Die Muster behalten wir, wenn wir dürfen, sie machen sich gut als Untersetzer.",
        ),
        ("kunde",),
        True,
    ),
    Conversation(
        "Lieferung {nr} verspätet sich",
        (
            (
                "leider verschiebt sich Ihre Lieferung {nr} um etwa eine Woche. Das Sägewerk hat die {holz} mit zu"
                " hoher Restfeuchte geliefert, und wir schicken Ihnen nichts, was sich später verzieht."
            ),
            (
                "danke für die Nachricht. Eine Woche können wir auffangen, mehr nicht: Am {tag} darauf ist Montage."
                " Haben Sie notfalls Ware aus einem anderen Stamm am Lager?"
            ),
            (
                "am Lager liegen noch 14 Bohlen, allerdings etwas heller. Wir legen sie für Sie zurück, bis die"
                " Nachlieferung da ist. Spätestens {tag} um {zeit} steht alles auf Ihrem Hof."
            ),
            "einverstanden. Bitte einmal kurz anrufen, bevor der Wagen losfährt, der Stapler ist zurzeit in Reparatur.",
        ),
        ("lieferant",),
    ),
    Conversation(
        "Nachbestellung Topfscharniere und Auszüge",
        (
            (
                "wir brauchen noch einmal dasselbe wie im Frühjahr: 60 Topfscharniere und 24 Vollauszüge, 500 mm."
                " Gilt der Preis von damals noch? Es eilt nicht, bis Ende der übernächsten Woche genügt."
            ),
            (
                "die Scharniere sind da, bei den Auszügen gibt es inzwischen ein Nachfolgemodell mit derselben"
                " Bohrung. Alles zusammen {betrag} netto, versandfrei. Soll ich es so buchen?"
            ),
            "ja bitte, buchen Sie es so. Die Auftragsnummer bei uns ist {nr}.",
        ),
        ("lieferant",),
        True,
    ),
    Conversation(
        "Unterlagen für den Jahresabschluss {jahr}",
        (
            (
                "für den Jahresabschluss {jahr} fehlen mir noch das Fahrtenbuch ab Oktober, die Inventurliste und"
                " der Leasingvertrag der Formatkreissäge. Bitte laden Sie nichts auf fremde Server hoch, eine"
                " E-Mail genügt mir."
            ),
            (
                "die Inventurliste hängt als Tabelle an. Das Fahrtenbuch tippt mein Sohn gerade ab, es kommt am"
                " {tag}. Beim Leasingvertrag finde ich nur die Kopie, reicht Ihnen die?"
            ),
            (
                "die Kopie reicht. Voraussichtlich ergibt sich eine Nachzahlung von {betrag}; legen Sie das bitte schon"
                " einmal zurück, der Bescheid kommt meist schneller als gedacht."
            ),
        ),
        ("amt",),
    ),
    Conversation(
        "Umzug unserer Domain",
        (
            (
                "wir möchten mit unserer Domain und allen Postfächern zu Ihnen umziehen. Im alten Postfach liegen"
                " zehn Jahre Korrespondenz, Angebote und Pläne. Davon darf nichts verloren gehen. Wie gehen wir am"
                " besten vor?"
            ),
            (
                "das bekommen wir hin. Wichtig ist die Reihenfolge: Erst sichern wir Ihr altes Postfach mit allen"
                " Ordnern, dann zieht die Domain um, zuletzt spielen wir alles ein. Kündigen Sie bitte noch nichts."
            ),
            (
                "verstanden, ich kündige nichts. Was ist mit dem Rechner in der Werkstatt? Der holt die Post noch"
                " per POP3 ab und lässt sie, glaube ich, auf dem Server liegen."
            ),
            (
                "auch das geht. Nach dem Umzug tragen Sie dort nur den neuen Server und das neue Kennwort ein. Ich"
                " schicke Ihnen am {tag} einen Link, über den Sie das alte Kennwort selbst eingeben; wir sehen es"
                " nicht."
            ),
        ),
        ("amt",),
        True,
    ),
    Conversation(
        "Praktikum in den Herbstferien",
        (
            (
                "unsere Tochter geht in die neunte Klasse und würde gern zwei Wochen in einer Tischlerei"
                " mitarbeiten. Sie hat ein Baumhaus gebaut, das seit drei Jahren hält. Wäre bei Ihnen noch ein"
                " Platz frei?"
            ),
            (
                "ein Baumhaus, das hält, ist die beste Bewerbung. In der ersten Ferienwoche geht es. Sie braucht"
                " feste Schuhe und etwas zu essen, alles andere bekommt sie von uns. Beginn ist {tag} um 7 Uhr."
            ),
            "sie freut sich riesig. Die Schuhe sind schon gekauft, und um 7 Uhr steht sie vor dem Tor.",
        ),
        ("kunde",),
    ),
    Conversation(
        "Wartung der Absauganlage",
        (
            (
                "die jährliche Prüfung Ihrer Absauganlage steht an. Ich schlage {tag} um {zeit} vor. Bitte sorgen"
                " Sie dafür, dass die Filterkammer zugänglich ist, beim letzten Mal stand ein Anhänger davor."
            ),
            (
                "der Termin passt, der Anhänger ist verkauft. Schauen Sie sich bitte auch den Schieber an der"
                " Dickenhobelmaschine an, der schließt nicht mehr ganz."
            ),
            (
                "das Prüfprotokoll hängt an: keine Mängel, der Schieber ist getauscht. Material und Arbeitszeit"
                " zusammen {betrag}, die Rechnung folgt mit der Nummer {nr}."
            ),
        ),
        ("lieferant", "kunde"),
    ),
    Conversation(
        "Gesellenstück-Ausstellung am {tag}",
        (
            (
                "am {tag} eröffnen wir um {zeit} die Ausstellung der Gesellenstücke im alten Lokschuppen. Es sind"
                " elf Stücke zu sehen, eines davon aus Ihrer Werkstatt. Können Sie den Transport übernehmen?"
            ),
            (
                "den Transport übernehmen wir, das Stück ist zwei Meter zehn hoch. Passt das durch Ihre Tür, oder"
                " sollen wir den Aufsatz abnehmen?"
            ),
            "bitte abnehmen, die Tür hat knapp zwei Meter. Für Getränke ist gesorgt, Kuchen wäre willkommen.",
        ),
        ("amt",),
    ),
)
ENGLISH: Final = (
    Conversation(
        "Oak table for the spring show",
        (
            (
                "we loved the table you showed us in Brettenau. Could you make a second one, ten centimetres"
                " longer, in time for our spring show? We would need it crated for shipping."
            ),
            (
                "we can, as long as the order reaches us within two weeks. The longer top needs a third trestle,"
                " otherwise it will sag within a year. The price including the crate would be {betrag}."
            ),
            (
                "a third trestle it is. Please go ahead, our order number is {nr}. Would you mind sending a photo"
                " once the top is glued up?"
            ),
            (
                "photo attached. The grain on the left is livelier than we expected; if it is too much for the room"
                " we can still turn the board around."
            ),
        ),
        ("abroad",),
    ),
    Conversation(
        "Larch boards, container {nr}",
        (
            (
                "the larch boards left Gävle this morning in container {nr}. The vessel is due on Thursday week,"
                " customs papers travel with the driver. Moisture was 11 per cent when we loaded."
            ),
            (
                "thank you, that is drier than last time. Please tell the driver that the yard gate is only three"
                " metres forty wide and that there is nobody here between twelve and one."
            ),
            "noted and passed on. One pallet was repacked in the harbour, so the packing list has an extra line.",
        ),
        ("abroad",),
    ),
    Conversation(
        "Delivery window and tail lift",
        (
            (
                "your consignment is booked for delivery between 08:00 and 12:00 local time. Please confirm that a"
                " forklift is available, otherwise we will send a truck with a tail lift at extra cost."
            ),
            (
                "a forklift is available, so no tail lift is needed. Our reference is {nr}. Could the driver ring"
                " about half an hour ahead?"
            ),
            "confirmed. The driver has your number and will ring from the motorway exit.",
        ),
        ("abroad",),
    ),
    Conversation(
        "Question about the finish",
        (
            (
                "a customer asks whether the hard wax oil you use is safe for a nursery. Is there a data sheet in"
                " English that we could put on our website?"
            ),
            (
                "it is: the oil meets the toy standard once it has cured for ten days. The English data sheet is"
                " attached. Please link to it rather than copying it, the manufacturer updates it now and then."
            ),
            "perfect, that is all we need. The customer has already fallen in love with the cot, by the way.",
        ),
        ("abroad",),
    ),
    Conversation(
        "Invoice {nr} and exchange rate",
        (
            (
                "our bank has paid invoice {nr} at last week's rate, so about forty euros may be missing. Shall we"
                " settle the difference now or add it to the next order?"
            ),
            "please add it to the next order, it is not worth a second bank fee. We have made a note on the account.",
        ),
        ("abroad",),
    ),
)
POSTSCRIPTS: Final = (
    "Nächste Woche bin ich in der Werkstatt am besten vor neun zu erreichen.",
    "Herzlichen Dank noch einmal für den Tipp mit dem Leinölkitt!",
    "Bitte antworten Sie an alle, ab Montag werde ich für zwei Wochen vertreten.",
    "Falls Sie zum Sommerfest kommen möchten: Es gibt wieder Flammkuchen aus dem Holzofen.",
    "Auf dem Hof liegen noch Ihre Spanngurte, ich bringe sie beim nächsten Mal mit.",
    "Das Telefon ist seit heute früh gestört, E-Mail geht zum Glück.",
    "Die Maße habe ich dieses Mal doppelt geprüft.",
    "Schöne Grüße auch von der Frühschicht.",
)

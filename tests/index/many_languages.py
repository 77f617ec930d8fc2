"""Three short texts in each of the languages that have a stemmer, and questions that ask for the first two in other forms."""

from __future__ import annotations

TEXTS: dict[str, list[str]] = {
    "ar": [
        "تغادر السفينة الميناء كل صباح عند الساعة السابعة، ويجب على المسافرين شراء التذاكر قبل يوم.",
        "توجد المكتبة في مدرسة القرية، ويمكن استعارة الكتب لمدة ثلاثة أسابيع.",
        "تزرع العائلة أشجار الزيتون على التل منذ سنوات طويلة.",
    ],
    "da": [
        "Færgerne sejler fra havnen hver morgen klokken syv, og billetterne skal købes dagen før.",
        "Biblioteket ligger ved siden af skolen, og man kan låne bøgerne i tre uger.",
        "Familien har dyrket æbletræer på bakken i mange år.",
    ],
    "de": [
        "Die Fähren verlassen den Hafen jeden Morgen um sieben, und Fahrkarten müssen am Vortag gekauft werden.",
        "Die Häuser an der Straße gehören der Gemeinde, ihre Kündigung ist nur schriftlich möglich.",
        "Die Familie baut seit vielen Jahren Äpfel auf dem Hügel an.",
    ],
    "el": [
        "Τα πλοία φεύγουν από το λιμάνι κάθε πρωί στις επτά και τα εισιτήρια αγοράζονται την προηγούμενη μέρα.",
        "Η βιβλιοθήκη βρίσκεται δίπλα στο σχολείο και δανείζει βιβλία για τρεις εβδομάδες.",
        "Η οικογένεια καλλιεργεί ελιές στον λόφο εδώ και πολλά χρόνια.",
    ],
    "en": [
        "The ferries leave the harbour every morning at seven, and tickets have to be bought on the day before.",
        "The library is beside the school, and its books can be borrowed for three weeks.",
        "The family has been growing apples on the hill for many years.",
    ],
    "es": [
        "Los barcos salen del puerto cada mañana a las siete y los billetes se compran el día anterior.",
        "Las declaraciones de la asociación se guardan en la biblioteca, junto con los libros de la escuela.",
        "La familia cultiva manzanas en la colina desde hace muchos años.",
    ],
    "fi": [
        "Laivat lähtevät satamasta joka aamu kello seitsemän, ja liput on ostettava edellisenä päivänä.",
        "Kirjasto on koulun vieressä, ja kirjoja voi lainata kolmeksi viikoksi.",
        "Perhe on viljellyt omenoita mäellä jo monta vuotta.",
    ],
    "fr": [
        "Les bateaux quittent le port chaque matin à sept heures, et les billets s'achètent la veille.",
        "L'eau de l'établissement est contrôlée par la commune, qui publie les résultats à la bibliothèque.",
        "La famille cultive des pommes sur la colline depuis de longues années.",
    ],
    "hu": [
        "A hajók minden reggel hétkor indulnak a kikötőből, és a jegyeket egy nappal előtte kell megvenni.",
        "A könyvtár az iskola mellett van, és a könyveket három hétre lehet kikölcsönözni.",
        "A család már sok éve almát termeszt a dombon.",
    ],
    "it": [
        "I traghetti lasciano il porto ogni mattina alle sette e i biglietti si comprano il giorno prima.",
        "L'assicurazione dell'associazione copre i danni, e i libri si trovano nella biblioteca della scuola.",
        "La famiglia coltiva mele sulla collina da molti anni.",
    ],
    "nl": [
        "De veerboten verlaten de haven elke ochtend om zeven uur, en de kaartjes worden een dag eerder gekocht.",
        "De bibliotheek staat naast de school, en de boeken kunnen drie weken worden geleend.",
        "De familie kweekt al vele jaren appels op de heuvel.",
    ],
    "no": [
        "Fergene går fra havnen hver morgen klokken sju, og billettene må kjøpes dagen før.",
        "Biblioteket ligger ved siden av skolen, og man kan låne bøkene i tre uker.",
        "Familien har dyrket epler på åsen i mange år, og de må få være der.",
    ],
    "pt": [
        "Os navios saem do porto todas as manhãs às sete e os bilhetes são comprados no dia anterior.",
        "As informações da associação estão na biblioteca, junto com os livros da escola.",
        "A família cultiva maçãs na colina há muitos anos.",
    ],
    "ro": [
        "Navele pleacă din port în fiecare dimineață la șapte, iar biletele se cumpără cu o zi înainte.",
        "Biblioteca este lângă școală, iar cărțile pot fi împrumutate pentru trei săptămâni.",
        "Familia cultivă mere pe deal de mulți ani.",
    ],
    "ru": [
        "Корабли уходят из порта каждое утро в семь часов, и билеты нужно покупать за день.",
        "Библиотека находится рядом со школой, и книги можно взять на три недели.",
        "Семья уже много лет выращивает яблоки на холме.",
    ],
    "sv": [
        "Färjorna lämnar hamnen varje morgon klockan sju, och biljetterna måste köpas dagen innan.",
        "Biblioteket ligger bredvid skolan, och försäkringarna gäller även för lånen.",
        "Familjen har odlat äpplen på kullen i många år.",
    ],
    "ta": [
        "கப்பல் ஒவ்வொரு காலையும் துறைமுகத்தை விட்டுப் புறப்படும், பயணச்சீட்டுகள் முந்தைய நாள் வாங்கப்பட வேண்டும்.",
        "நூலகம் பள்ளிக்கு அருகில் உள்ளது, அங்கே பழைய புத்தகங்கள் மற்றும் வரைபடங்கள் கிடைக்கும்.",
        "குடும்பம் பல ஆண்டுகளாக மலையில் மாமரங்களை வளர்க்கிறது.",
    ],
    "tr": [
        "Gemiler her sabah saat yedide limandan ayrılır ve biletler bir gün önce alınmalıdır.",
        "Kütüphane okulun yanındadır ve kitaplar üç hafta için ödünç verilir.",
        "IŞIKLAR söndüğünde aile tepede İstanbul için elma topluyor.",
    ],
}  # fmt: skip

# A question and the number of the text that answers it; hardly a word stands in it in the form asked for.
QUESTIONS: list[tuple[str, str, int]] = [
    ("ar", "مسافر سفينة", 0), ("ar", "كتاب مكتبة", 1),
    ("da", "færge havn", 0), ("da", "bogen på skoler", 1),
    ("de", "Fahrkarte für die Fähre", 0), ("de", "Haus Strasse kündigungen", 1),
    ("el", "πλοίο λιμάνια", 0), ("el", "σχολεία βιβλιο", 1),
    ("en", "ticket for a ferry", 0), ("en", "borrowing a book", 1),
    ("es", "barco billete", 0), ("es", "declaración de asociaciones", 1),
    ("fi", "laiva lippu", 0), ("fi", "kirja koulussa", 1),
    ("fr", "bateau billet", 0), ("fr", "contrôle d'eaux établissements", 1),
    ("hu", "hajó jegy", 0), ("hu", "könyv iskolában", 1),
    ("it", "traghetto biglietto", 0), ("it", "danno assicurazioni", 1),
    ("nl", "veerboot kaartje", 0), ("nl", "boek scholen", 1),
    ("no", "ferge billett", 0), ("no", "skole bøker", 1),
    ("pt", "navio bilhete", 0), ("pt", "informação livro", 1),
    ("ro", "bilet nava", 0), ("ro", "carte bibliotecă", 1),
    ("ru", "корабль билет", 0), ("ru", "книга школа", 1),
    ("sv", "färja biljett", 0), ("sv", "försäkring lån", 1),
    ("ta", "பயணச்சீட்டு", 0), ("ta", "புத்தகம்", 1),
    ("tr", "gemi bilet", 0), ("tr", "kitap okul", 1),
]  # fmt: skip

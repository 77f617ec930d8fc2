"""The little words of each language: what a text is told by, and what a query leaves out.

By codes of ISO 639. The first table has the languages whose words are stemmed. The second has neighbours of theirs that
have no stemmer here, so that a text of theirs is not taken for one of the first.
"""

from __future__ import annotations

STEMMED = {
    "ar": "في من على إلى الى عن أن ان إن التي الذي هذا هذه ذلك تلك هو هي هم ما ماذا متى أين كيف لماذا هل لا لم لن "
    "كان كانت قد كل بعد قبل مع بين أو او ثم حتى عند منذ لكن أي غير كما يكون تكون يمكن يجب و ف ب ل",
    "da": "og i at det en den til er som på de med for af der ikke et har om var fra sig han kan vil skal ved men "
    "eller blev bliver også jeg vi du hun dig mig hvad hvor hvordan hvornår hvem hvorfor hvilken hvilke efter "
    "ud over under når hvis disse denne dette deres være meget nogle noget kun mellem uden alle dine din dit "
    "mod",
    "de": "der die das und in den von zu mit sich des auf für ist im dem nicht ein eine als auch es an werden aus "
    "er hat daß dass sie nach wird bei einer um am sind noch wie einem über einen so zum war haben nur oder "
    "aber vor zur bis mehr durch man sein wurde wenn ich wir ihr du was wer wo wann warum wieso woher wohin "
    "welche welcher welches kann muss soll darf gibt keine kein mein dein unter gegen diese dieser dieses "
    "bitte vom",
    "el": "και το του η να της με για που στο την τα των ο από σε είναι οι τη τις στην τον στη θα δεν τους μια μας "
    "τι πώς πως πού πότε ποιος ποια ποιο γιατί αν ή όπως ως αυτό αυτή ένα ένας μία στα στις στον όταν αλλά "
    "κατά μετά πριν έχει ήταν μπορεί πρέπει σας",
    "en": "a about am an and any are as at be been being but by can could did do does doing for from had has have "
    "having he her him his how i if in into is it its just may me might must my no not of on or our shall she "
    "should so some such than that the their them then there these they this those to too us very was we were "
    "what when where whether which who whom whose why will with would you your",
    "es": "de la que el en y a los se del las un por con no una su para es al lo como más o pero sus le ha me si "
    "sin sobre este ya entre cuando todo esta ser son también fue había muy años hasta desde está mi porque "
    "qué cómo dónde cuándo quién cuál cuánto sólo hay cada puede debe esto eso ni nos usted tiene han",
    "fi": "ja on ei se että joka oli tai ovat kun myös mutta hän niin kuin ole mukaan jos vain voi sen ne mitä mikä "
    "missä milloin miten miksi kuka kenen sekä eli ennen jälkeen kanssa olla olen tämä tämän jotka tulee "
    "kaikki nyt sitä siitä siinä minä sinä me te he en et eivät pitää saa ilman joita mihin mistä onko",
    "fr": "de la le et les des en un du une que est pour qui dans a par plus pas au sur ne se ce il sont l d qu n c "
    "s j aux avec ou son elle cette ces mais comme nous vous ils sa ont été être à où quand comment pourquoi "
    "quel quelle quels quelles quoi combien leur leurs si sans sous entre après avant peut doit fait votre "
    "vos notre chez je tu y",
    "hu": "a az és hogy nem is egy ez van meg volt de csak már mint vagy ki mi kell be még azt el ha sem ezt aki "
    "ami amely volna minden lesz után szerint hol mikor miért hogyan melyik mennyi kinek milyen ezek azok "
    "lehet között alatt előtt amikor által nincs vannak csak kérjük",
    "it": "di e il la che in a per un è del una i le non con da si sono dei nel alla della al lo gli delle come più "
    "ma anche o se ha l dell all nell dall dal dalla nella sul sulla questo questa essere stato suo sua loro "
    "ci cosa chi dove quando perché quale quali quanto quanti deve può ogni tra fra dopo prima senza fino ed "
    "degli ai alle",
    "nl": "de van het een en in is dat op te zijn met voor niet aan er die als om ook dan maar bij uit door naar "
    "over heeft wordt was nog worden of tot deze dit kan kunnen ze hij zij je u uw wij we mijn hun zich wat "
    "wie waar wanneer waarom hoe welke welk geen meer moet moeten zal zou tegen onder tussen na hebben had "
    "werd",
    "no": "og i det er på til en av som for at med har de den ikke et om fra var han seg så vil kan skal ved men "
    "eller ble blir også jeg vi du hun deg meg hva hvor hvordan når hvem hvorfor hvilken hvilke etter ut over "
    "under hvis disse denne dette deres være noen noe bare mellom uten alle dine din ditt mot å",
    "pt": "de a o que e do da em um para com não uma os no se na por mais as dos como mas ao ele das à seu sua ou "
    "quando muito nos já eu também só pelo pela até isso ela entre depois sem mesmo aos ter são está é foi "
    "ser tem qual quais quem onde porque quanto quantos deve pode cada este esta você há num nas às",
    "ro": "de și şi în a la cu pe nu o din că un care se mai este sunt pentru ce ca sau al ai ale lui fi fost are "
    "au prin dar unei unui acest această aceste când cum unde cine cât câte fără după între până poate "
    "trebuie dacă decât fiecare toate iar sa să dintre despre către vă cel cea le",
    "ru": "и в не на я что с он а как это по к но из у за от так для же то все бы его о до при или если только уже "
    "когда где кто почему зачем сколько какой какая какие который которая которые чтобы быть был была было "
    "были есть нет их ее её мы вы они этот эта эти может можно нужно под над без после перед между со во "
    "также ли",
    "sv": "och i att det som en på är av för med till den har de inte om ett han var från sig men så kan vid eller "
    "vi du jag hon ska skall vill blir blev också vad hur när var vem vilken vilka vilket varför efter ut "
    "över under inom denna detta dessa dig mig din mitt där mot mellan utan alla än då sin sina måste finns "
    "bara",
    "ta": "ஒரு என்று மற்றும் இந்த இது என்ற கொண்டு என்பது பல ஆகும் அல்லது அவர் நான் உள்ள அந்த இவர் என முதல் என்ன "
    "இருந்து சில என் போன்ற வேண்டும் வந்து இதன் அது அவன் தான் என்னும் மேலும் பின்னர் கொண்ட இருக்கும் தனது "
    "உள்ளது போது என்றும் அதன் தன் பிறகு அவர்கள் வரை அவள் நீ ஆகிய எப்படி எங்கே எப்போது யார் ஏன் எந்த",
    "tr": "ve bir bu için ile de da olarak çok daha olan gibi en ne ya o kadar sonra ki mi mı mu mü her değil ise "
    "veya ama var yok nasıl nerede nereye neden niçin hangi kim kaç ben sen biz siz onlar şu olduğu "
    "tarafından göre üzere içinde önce bütün tüm ancak hem diye olması oldu",
}  # fmt: skip

# Frequent enough to tell a language, and too telling to be left out of a query.
ALSO_TELL = {
    "en": "after all also another because before between both data different first however many more most new none "
    "only other over per same since small through under used using when within without",
    "no": "av må få gjøre være blitt",
    "da": "af må få gøre være blevet",
    "ar": "يتم تم خلال حول دون كما لها به لهذا",
}  # fmt: skip

OTHER = {
    "bg": "и на да е от за се в с не са по като до при тази това този които която който ще или си към със след има "
    "може",
    "ca": "de la el i a que en els per un una les amb del és no al es com més dels són o seva seu pel aquest "
    "aquesta també però ha van hi si fins sobre entre ser l d amb ja",
    "cs": "a v na se je že s z do to o k i jako za by pro po od které který která ale jsou nebo při má bylo být "
    "jeho ve tak také jen si podle už není až",
    "et": "ja on ei et see ta oli mis ka kui või oma aga selle seda ning siis mitte tema nii veel pärast võib kes "
    "üks ole",
    "fa": "و در به از که این را با است برای آن یک خود تا بر هم نیز شده می شود شد کرد یا هر اما",
    "hr": "i je u na se da su za od s o kao koji koja koje što ne bio bi ili iz po a ali te će biti kako nije sa "
    "samo već",
    "id": "yang dan di dengan untuk dari pada dalam ini itu adalah tidak akan oleh sebagai atau juga dapat ke ada "
    "mereka telah bisa karena lebih anda kami saya",
    "pl": "i w z na do się nie że to jest o jak za od po przez dla są oraz ale przy lub tym który która które jego "
    "tego czy może być co już tylko ze",
    "sk": "a v na sa je že s z do to o k ako za by pre po od ktoré ktorý ktorá ale sú alebo pri má bolo byť jeho vo "
    "tak tiež len si podľa už nie až",
    "uk": "і в не на що з у та до за як це від його але для про й є або при цей який яка які був було бути ще щоб "
    "також із вони вона він може",
    "vi": "và của là có trong được cho các một không người này với những để từ khi đã ở như về ra đến tại theo",
}  # fmt: skip

# Letters that few languages have. They count as a word does, once a text.
LETTERS = {
    "ß": "de", "ñ": "es", "¿": "es", "¡": "es", "ã": "pt", "õ": "pt et", "ő": "hu", "ű": "hu", "ğ": "tr", "ı": "tr",
    "ş": "tr ro", "ă": "ro vi", "ț": "ro", "ţ": "ro", "ș": "ro", "ø": "da no", "æ": "da no", "å": "sv da no",
    "ä": "de sv fi et sk", "ö": "de sv fi hu tr et", "ü": "de hu tr et", "ł": "pl", "ę": "pl", "ą": "pl", "ě": "cs",
    "ř": "cs", "ů": "cs", "ť": "sk cs", "ľ": "sk", "č": "cs sk hr", "š": "cs sk hr et", "ž": "cs sk hr et",
    "đ": "hr vi", "ć": "hr pl", "œ": "fr", "ê": "fr pt vi", "è": "fr it ca", "ù": "fr it", "ò": "it ca", "ì": "it",
    "ç": "fr pt tr ca", "ы": "ru", "э": "ru", "ё": "ru", "і": "uk", "ї": "uk", "є": "uk", "ъ": "bg",
}  # fmt: skip

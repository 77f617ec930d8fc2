"""Write the two office files of the sample handbook: one PDF and one Word document.

Run it from anywhere; it overwrites the two files beside it with the same bytes every time,
for the same versions of reportlab and python-docx:

    python sample_corpora/make_office_files.py

    handbook/pay/pension-guide.pdf
    handbook/people/grievance-procedure.docx

The words are here, in lists of blocks; each writer below turns such a list into its format.
"""

from __future__ import annotations

import io
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from docx.document import Document

HANDBOOK = Path(__file__).resolve().parent / "handbook"
PDF_PATH = HANDBOOK / "pay" / "pension-guide.pdf"
DOCX_PATH = HANDBOOK / "people" / "grievance-procedure.docx"

COMPANY = "Ostray Line"
ISSUED = datetime(2026, 1, 12, 9, 0, 0)


@dataclass(frozen=True)
class Heading:
    """A section title."""

    text: str


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    text: str


@dataclass(frozen=True)
class Bullets:
    """A list of points."""

    items: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """A table whose first row is its header."""

    rows: tuple[tuple[str, ...], ...]
    widths_cm: tuple[float, ...]


Block = Heading | Paragraph | Bullets | Table

PENSION_TITLE = "Your pension with Northlight"

PENSION: tuple[Block, ...] = (
    Paragraph(
        "This guide is for everybody on the payroll of Ostray Line, ashore and afloat. It says what goes into your "
        "pension, who puts it there, and what you can do about it. It was written by Hamish Oduya in payroll, who is "
        "not a financial adviser and would like you to remember that."
    ),
    Heading("Joining"),
    Paragraph(
        "You are enrolled with Northlight Pensions on your first day, whatever your age or salary. Within two weeks "
        "you receive a letter with your member number and a link. If you would rather not be in it, opt out within "
        "one month of the letter and your contributions are returned; later than that you can stop at any time, but "
        "what has been paid stays in the fund until you retire. Everyone who has opted out is enrolled again every "
        "third April."
    ),
    Heading("What is paid in"),
    Paragraph(
        "You contribute a percentage of your basic salary, before tax. The company contributes more than you do. If "
        "you raise your own share, the company raises its share too, up to a limit:"
    ),
    Table(
        rows=(
            ("You contribute", "Ostray Line contributes", "Together"),
            ("5% (where everyone starts)", "9%", "14%"),
            ("6%", "10.5%", "16.5%"),
            ("7%", "12%", "19%"),
            ("8% or more", "12%", "20% or more"),
        ),
        widths_cm=(5.5, 5.5, 4.5),
    ),
    Paragraph(
        "An example. On a salary of £30,000, a person who contributes 5 per cent puts in £125 a month and the company "
        "£225. At 7 per cent it is £175 and £300. Because contributions are taken before tax and National Insurance, "
        "the step from 5 to 7 per cent lowers the pay that reaches the bank by about £36 a month and puts £125 more "
        "into the fund. Payroll knows of no better bargain, and 41 per cent of us have not taken it up."
    ),
    Paragraph(
        "Overtime, standby, sea-going allowance and the season share are not pensionable. You may, though, pay all or "
        "part of the season share into your fund in December. The choice is made in Tiller between 1 and 20 November."
    ),
    Heading("Changing your percentage"),
    Paragraph(
        "Use Tiller, under Pay and then Pension. A change made by the 10th of the month shows in that month's "
        "payslip, on the lines NLP EE (you) and NLP ER (the company). You may change it as often as you like, and go "
        "down again to 5 per cent when times are hard. Below 5 per cent the scheme does not allow."
    ),
    Heading("Where the money is invested"),
    Paragraph(
        "Unless you choose otherwise, it goes into the Northlight Passage fund. That holds mostly shares while you are "
        "young and moves into bonds and cash over the ten years before your chosen retirement age. The yearly charge "
        "is 0.31 per cent. There are fourteen other funds, among them one without oil and arms (Northlight Clear "
        "Water, 0.38 per cent) and one that follows Islamic principles (0.45 per cent)."
    ),
    Paragraph("Contributions made by the company are yours from the first day. There is no period to wait."),
    Heading("While you are away"),
    Bullets(
        (
            "Parental leave: the company pays its share as if you were on full salary, for the whole of the leave.",
            "Sick leave: both shares follow the pay you actually receive.",
            "A short sabbatical: the company pays in full. A long one: in full for the first three months.",
            "Unpaid leave of other kinds: nothing is paid in by either side; you may make it up within a year.",
        )
    ),
    Heading("If you die or fall ill"),
    Paragraph(
        "Life cover of four times your basic salary comes with membership and costs you nothing. It continues if you "
        "opt out of the pension itself. Say who should receive it, and your fund, by filling in the expression of "
        "wish form in Tiller. The trustees are not bound by it but nearly always follow it. A form that still names a "
        "former husband or wife is the commonest trouble they meet, so look at yours after every change in the family."
    ),
    Paragraph(
        "If you become too ill ever to work again, you may draw on the fund at any age, with the agreement of "
        "Northlight's doctor. The income protection scheme described in the sickness policy is separate."
    ),
    Heading("Older pensions"),
    Paragraph(
        "Those who joined before 2004 may also have years in the old Seafarers' and Clerks' Fund, which pays a part of "
        "final salary. It is closed to new members and is run by the same trustees. Statements come each June. "
        "Pensions from earlier employers can be brought into Northlight without a fee; take advice before giving up "
        "one that promises a fixed income."
    ),
    Heading("Retiring"),
    Paragraph(
        "You may draw your pension from the age of 55 (57 from April 2028), whether or not you go on working. A "
        "quarter may be had free of tax. Six months before the date you have in mind, book the planning session that "
        "Northlight offers: one hour, by video or on the third Wednesday of the month at Customs Quay. Anyone over 50 "
        "may have it every other year."
    ),
    Heading("Whom to ask"),
    Table(
        rows=(
            ("Question", "Ask"),
            ("Deductions on a payslip", "Hamish Oduya, payroll, extension 2320"),
            ("Value of the fund, choice of funds, transfers", "Northlight helpline, 0808 157 0119"),
            ("Expression of wish, life cover", "People Desk, extension 2200"),
            ("How the scheme is run", "The trustees; two of the five are elected by members"),
            ("Whether it is the right thing for you", "An independent adviser; we pay £150 towards one meeting"),
        ),
        widths_cm=(7.0, 8.5),
    ),
)

GRIEVANCE_TITLE = "Grievance procedure"

GRIEVANCE: tuple[Block, ...] = (
    Paragraph(
        "A grievance is a complaint about how you are treated at work: by a manager, by other members of staff, or by "
        "the company and its rules. Bullying, harassment, discrimination, an unfair rota, a promise not kept. If it "
        "is about wrongdoing that does not touch you yourself, read Speaking up instead."
    ),
    Heading("First, try to settle it"),
    Paragraph(
        "Most quarrels are settled by a conversation. Say what happened, what it did to you and what you would like to "
        "change. If you would rather not do that by yourself, the People Desk (extension 2200) has eight trained "
        "mediators, ashore and afloat, none of whom will be from your own ship or department. Mediation is voluntary "
        "and confidential, and nothing said there can be used later in the procedure."
    ),
    Paragraph("You do not have to try this first where the matter is serious, or where you are afraid of the person."),
    Heading("Bullying and harassment"),
    Paragraph(
        "Harassment is unwanted behaviour, connected with someone's sex, race, nationality, religion, age, disability, "
        "sexuality or the way they speak, that offends or humiliates them or makes the place hostile. Bullying "
        "is the misuse of power to hurt or belittle, for whatever cause. It makes no difference that it was meant as "
        "a joke, that it happened at a party or on a private messaging group, or that others found it funny. Crew "
        "quarters are a workplace and a home at once, and we hold people there to the same standard as on the bridge."
    ),
    Paragraph(
        "Keep a note of dates, words and witnesses. You may be moved to another ship or team while it is looked into "
        "if you ask for that; otherwise it is the other person who is moved."
    ),
    Heading("The formal steps"),
    Table(
        rows=(
            ("Step", "What happens", "Within"),
            (
                "1. Letter",
                "You write to your manager, or to Rosalind Achterberg if it concerns your manager",
                "3 months of the event",
            ),
            ("2. Receipt", "The People Desk confirms it and names the person who will hear it", "3 working days"),
            ("3. Meeting", "You explain; you may bring a colleague or a union representative", "10 working days"),
            ("4. Inquiry", "Witnesses are heard, records are read; the other side is heard too", "20 working days"),
            ("5. Decision", "In writing, with reasons and with what will be done", "5 working days"),
            (
                "6. Appeal",
                "To a director from another department, who looks at it afresh",
                "10 working days to ask, 15 to decide",
            ),
        ),
        widths_cm=(2.6, 9.4, 4.0),
    ),
    Paragraph(
        "Crew at sea may hand the letter to the master, who sends it ashore unopened by the next boat or lets you use "
        "the ship's link in private. The days are counted from the day on which it reaches the People Desk. The "
        "complaint procedure of the Maritime Labour Convention is posted in each mess room and is open to you as well."
    ),
    Heading("Who may come with you"),
    Paragraph(
        "A colleague or a union representative, of your choice, at every meeting. They may speak and ask "
        "questions but not answer for you. They have paid time for it, and for an hour of preparation. If they cannot "
        "come, the meeting is moved by up to five working days."
    ),
    Heading("Fairness on both sides"),
    Bullets(
        (
            "The person complained of sees the complaint and may answer it, with the same right to be accompanied.",
            "Whoever hears the grievance has had no part in it and does not report to anybody who had.",
            "Notes of meetings go to both sides within five working days and may be corrected.",
            "The People Desk keeps the papers for six years, outside the personnel files unless a warning results.",
            "Nobody may be punished for a grievance made in good faith, upheld or not.",
        )
    ),
    Heading("What may follow"),
    Paragraph(
        "An apology, a change of rota or reporting line, training, a payment that was owed, a rule rewritten; and, "
        "where it is deserved, disciplinary action up to dismissal. You are told whether action was taken, though not "
        "always what it was. Three and six months later the People Desk asks you whether it has stopped."
    ),
    Heading("Support meanwhile"),
    Paragraph(
        "Lantern, our counselling line, is open day and night on 0808 157 0142. Bellweather Health can advise on work "
        "that you feel unable to do. The unions and the Crew and Shore Forum, whose chair is Bethan Okafor, know the "
        "procedure well. In 2025 there were twenty-two grievances. Thirteen were upheld in whole or in part, and the "
        "average took thirty-one working days from letter to decision."
    ),
    Paragraph(
        "At any point you may also ask ACAS or an employment tribunal. The tribunal's limit is three months less one "
        "day from the event, and our procedure does not stop that clock."
    ),
)


def write_pdf(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Write ``blocks`` as an A4 PDF whose bytes do not depend on the clock."""
    from reportlab.lib.pagesizes import A4
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.lib.units import cm
    from reportlab.pdfgen.canvas import Canvas
    from reportlab.platypus import Paragraph as PdfParagraph
    from reportlab.platypus import SimpleDocTemplate, Spacer

    styles = getSampleStyleSheet()

    def footer(canvas: Canvas, document: SimpleDocTemplate) -> None:
        canvas.setFont("Helvetica", 8)
        canvas.drawString(2.2 * cm, 1.3 * cm, f"{COMPANY} employee handbook: {title}")
        canvas.drawRightString(A4[0] - 2.2 * cm, 1.3 * cm, f"Page {document.page}")

    flow: list[object] = [PdfParagraph(title, styles["Title"])]
    for block in blocks:
        flow.extend(_pdf_flowables(block))
        if not isinstance(block, Heading):  # nothing between a heading and what it must stay with
            flow.append(Spacer(1, 0.12 * cm))
    template = SimpleDocTemplate(
        str(path),
        pagesize=A4,
        leftMargin=2.2 * cm,
        rightMargin=2.2 * cm,
        topMargin=2.0 * cm,
        bottomMargin=2.2 * cm,
        title=title,
        author=COMPANY,
        subject="Employee handbook",
        invariant=1,
    )
    template.build(flow, onFirstPage=footer, onLaterPages=footer)


def _pdf_flowables(block: Block) -> list[object]:
    from reportlab.lib import colors
    from reportlab.lib.styles import getSampleStyleSheet
    from reportlab.lib.units import cm
    from reportlab.platypus import ListFlowable, TableStyle
    from reportlab.platypus import Paragraph as PdfParagraph
    from reportlab.platypus import Table as PdfTable

    styles = getSampleStyleSheet()
    body = styles["BodyText"]
    match block:
        case Heading(text):
            return [PdfParagraph(text, styles["Heading2"])]
        case Paragraph(text):
            return [PdfParagraph(text, body)]
        case Bullets(items):
            return [ListFlowable([PdfParagraph(item, body) for item in items], bulletType="bullet", start="•")]
        case Table(rows, widths_cm):
            cells = [[PdfParagraph(cell, body) for cell in row] for row in rows]
            table = PdfTable(cells, colWidths=[width * cm for width in widths_cm], repeatRows=1)
            table.setStyle(
                TableStyle(
                    [
                        ("GRID", (0, 0), (-1, -1), 0.4, colors.grey),
                        ("BACKGROUND", (0, 0), (-1, 0), colors.whitesmoke),
                        ("VALIGN", (0, 0), (-1, -1), "TOP"),
                    ]
                )
            )
            return [table]


def write_docx(path: Path, title: str, blocks: Sequence[Block]) -> None:
    """Write ``blocks`` as a Word document whose bytes do not depend on the clock."""
    import docx
    from docx.shared import Cm

    document = docx.Document()
    page = document.sections[0]
    page.page_width, page.page_height = Cm(21.0), Cm(29.7)
    document.add_heading(title, level=0)
    for block in blocks:
        match block:
            case Heading(text):
                document.add_heading(text, level=1)
            case Paragraph(text):
                document.add_paragraph(text)
            case Bullets(items):
                for item in items:
                    document.add_paragraph(item, style="List Bullet")
            case Table(rows, widths_cm):
                _add_docx_table(document, rows, widths_cm)
    properties = document.core_properties
    properties.title = title
    properties.author = COMPANY
    properties.last_modified_by = COMPANY
    properties.subject = "Employee handbook"
    properties.comments = ""
    properties.language = "en-GB"
    properties.revision = 1
    properties.created = properties.modified = ISSUED
    buffer = io.BytesIO()
    document.save(buffer)
    path.write_bytes(_with_fixed_times(buffer.getvalue()))


def _add_docx_table(document: Document, rows: tuple[tuple[str, ...], ...], widths_cm: tuple[float, ...]) -> None:
    from docx.shared import Cm

    table = document.add_table(rows=len(rows), cols=len(rows[0]))
    table.style = "Table Grid"
    for table_row, texts in zip(table.rows, rows, strict=True):
        for cell, text, width in zip(table_row.cells, texts, widths_cm, strict=True):
            cell.text = text
            cell.width = Cm(width)
    for cell in table.rows[0].cells:
        cell.paragraphs[0].runs[0].bold = True


def _with_fixed_times(package: bytes) -> bytes:
    """Repack a zip with its members in order of name but the content types first, all dated ``ISSUED``."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(package)) as source, zipfile.ZipFile(buffer, "w") as target:
        for name in sorted(source.namelist(), key=lambda name: (name != "[Content_Types].xml", name)):
            member = zipfile.ZipInfo(name, date_time=ISSUED.timetuple()[:6])
            member.compress_type = zipfile.ZIP_DEFLATED
            member.external_attr = 0o644 << 16
            member.create_system = 3
            target.writestr(member, source.read(name))
    return buffer.getvalue()


def main() -> None:
    """Write both files and say where."""
    write_pdf(PDF_PATH, PENSION_TITLE, PENSION)
    write_docx(DOCX_PATH, GRIEVANCE_TITLE, GRIEVANCE)
    for path in (PDF_PATH, DOCX_PATH):
        print(f"{path.relative_to(HANDBOOK.parent)}: {path.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()

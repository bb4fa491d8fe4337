from __future__ import annotations

import io
import sys
import zipfile
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager

import pytest

from tests.nodes.kept import MemoryFiles
from weft.egress import AddressRefusedError, EgressConfig, EgressRequest, EgressResponse
from weft.nodes import Limits
from weft.nodes.document_encoding import decode_text
from weft.nodes.document_error import TextExtractionError, UnsupportedFileTypeError
from weft.nodes.document_extra import pdf_text, xlsx_text
from weft.nodes.document_format import find_extract
from weft.nodes.document_office import docx_text, odt_text, pptx_text
from weft.nodes.document_package import Package
from weft.nodes.document_reader import eml_text, epub_text
from weft.nodes.document_structured import csv_text, json_text, properties_text, vtt_text, yaml_text
from weft.nodes.document_table import markdown_table
from weft.testing.node_harness import NodeRun, run_node
from weft.variables import File, Value, remote_file

pytestmark = pytest.mark.anyio

EXTRACTOR = {"type": "document-extractor", "title": "Read", "variable_selector": ["s", "doc"]}
WORD = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
SHEETS = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
)
OPEN = (
    'xmlns:office="urn:oasis:names:tc:opendocument:xmlns:office:1.0" '
    'xmlns:text="urn:oasis:names:tc:opendocument:xmlns:text:1.0" '
    'xmlns:table="urn:oasis:names:tc:opendocument:xmlns:table:1.0"'
)


class FakeEgress:
    """Answers with the bodies of a test."""

    def __init__(self, bodies: Mapping[str, bytes], max_file_bytes: int = 1000) -> None:
        self.config = EgressConfig(max_file_bytes=max_file_bytes)
        self._bodies = bodies

    @asynccontextmanager
    async def request(self, request: EgressRequest) -> AsyncIterator[EgressResponse]:
        if "private" in request.url:
            raise AddressRefusedError("https://private may not be reached")

        async def pieces() -> AsyncIterator[bytes]:
            yield self._bodies.get(request.url, b"")

        status = 200 if request.url in self._bodies else 404
        yield EgressResponse(status=status, origin="https://files", headers={}, pieces=pieces())

    async def close(self) -> None:
        pass


def pack(members: Mapping[str, str]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as package:
        for name, text in members.items():
            package.writestr(name, text)
    return buffer.getvalue()


def docx(body: str) -> bytes:
    return pack({"word/document.xml": f"<w:document {WORD}><w:body>{body}</w:body></w:document>"})


def paragraph(text: str) -> str:
    return f"<w:p><w:r><w:t>{text}</w:t></w:r></w:p>"


async def extract(value: Value, bodies: Mapping[str, bytes] | None = None) -> NodeRun:
    return await run_node(EXTRACTOR, {"s.doc": value}, egress=FakeEgress(bodies or {}))


async def test_one_file_becomes_one_text() -> None:
    file = remote_file("https://files/note.txt")
    run = await extract(file, {"https://files/note.txt": "Grüße\n".encode()})

    assert run.outputs == {"text": "Grüße\n"}  # dsl-106
    assert run.context.inputs == {"variable_selector": ["s", "doc"]}
    assert run.context.process_data == {"documents": [file]}


async def test_a_list_of_files_becomes_a_list_of_texts() -> None:
    bodies = {"https://files/a.txt": b"a", "https://files/b.csv": b"x,y\n1,2\n"}
    run = await extract([remote_file(url) for url in bodies], bodies)

    assert run.outputs == {"text": ["a", "| x | y |\n| --- | --- |\n| 1 | 2 |"]}  # dsl-106


async def test_an_empty_list_of_files_is_no_failure() -> None:
    assert (await extract([])).outputs == {"text": []}


@pytest.mark.parametrize(
    ("value", "error_type", "words"),
    [
        pytest.param("text", "NodeFailedError", "'s.doc' holds something else than files", id="no-file"),
        pytest.param([1], "NodeFailedError", "'s.doc' holds something else than files", id="no-files"),
        pytest.param(None, "NodeFailedError", "'s.doc' holds something else than files", id="null"),
        pytest.param(
            remote_file("https://files/a.exe"),
            "UnsupportedFileTypeError",
            "files with the extension 'exe' cannot be read; give it in another format",
            id="dsl-106-unknown-type",
        ),
        pytest.param(
            File(filename="a.doc", extension=".doc", mime_type="application/msword", url="https://files/a"),
            "UnsupportedFileTypeError",
            "files with the extension 'doc' cannot be read; save it as docx",
            id="old-word",
        ),
        pytest.param(
            File(url="https://files/a"), "UnsupportedFileTypeError", "MIME type ''", id="nothing-known"
        ),
        pytest.param(
            remote_file("https://files/gone.txt"),
            "FileDownloadError",
            "gone.txt could not be fetched: https://files answered with status 404",
            id="not-there",
        ),
        pytest.param(
            remote_file("https://private/a.txt"),
            "FileDownloadError",
            "a.txt could not be fetched: https://private may not be reached",
            id="refused",
        ),
        pytest.param(
            remote_file("https://files/big.txt"), "FileDownloadError", "more than 1000 bytes", id="too-large"
        ),
        pytest.param(
            File(filename="a.txt", extension=".txt"),
            "FileDownloadError",
            "a.txt has no address that it could be fetched from",
            id="no-address",
        ),
        pytest.param(
            remote_file("https://files/bad.json"),
            "TextExtractionError",
            "bad.json: this is no JSON that can be read",
            id="damaged",
        ),
    ],
)
async def test_what_cannot_be_read_fails_the_node(value: Value, error_type: str, words: str) -> None:
    run = await extract(value, {"https://files/big.txt": b"x" * 1001, "https://files/bad.json": b"{"})

    assert run.error_type == error_type
    assert words in str(run.error)


async def test_a_variable_that_is_not_there_fails_the_node() -> None:
    run = await run_node(EXTRACTOR, {})

    assert str(run.error) == "variable 's.doc' was not found; no node that ran has set it"


@pytest.mark.parametrize(
    ("extension", "mime_type", "reader"),
    [
        (".CSV", "text/plain", csv_text),
        ("", "text/csv; charset=utf-8", csv_text),
        ("", "text/x-whatever", decode_text),
        (".unknown", "application/json", json_text),
        (".py", "application/octet-stream", decode_text),
        (".html", None, decode_text),
        (".yml", None, yaml_text),
    ],
)
async def test_the_extension_counts_before_the_mime_type(
    extension: str, mime_type: str | None, reader: Callable[[bytes], str]
) -> None:
    assert find_extract(File(extension=extension, mime_type=mime_type)) is reader


CHINESE = "今天天气很好，我们去公园散步。这是一个用来测试编码的句子，希望可以正确识别。"
TRADITIONAL = "今天天氣很好，我們去公園散步。這是一個用來測試編碼的句子，希望可以正確識別。"
JAPANESE = "今日は天気がいいので、公園を散歩しました。これは文字コードのテストです。"
KOREAN = "오늘은 날씨가 좋아서 공원을 산책했습니다. 이것은 문자 인코딩 시험입니다."
FRENCH = "Déjà vu : l'été à la plage, où le café coûte très cher. Ça va?"


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("", "utf-8"),
        ("plain", "ascii"),
        (CHINESE, "utf-8"),
        (CHINESE, "utf-8-sig"),
        (CHINESE, "utf-16"),
        (CHINESE, "utf-32"),
        ("plain words", "utf-16-le"),
        ("plain words", "utf-16-be"),
        (CHINESE, "gb18030"),
        (CHINESE[:6], "gbk"),
        (TRADITIONAL, "big5"),
        (JAPANESE, "shift_jis"),
        (KOREAN, "euc_kr"),
        (FRENCH, "cp1252"),
    ],
)
async def test_the_encoding_is_found_out(text: str, encoding: str) -> None:
    assert decode_text(text.encode(encoding)) == text


@pytest.mark.parametrize(
    ("text", "encoding"),
    [(CHINESE, "utf-8"), (CHINESE, "gb18030"), (TRADITIONAL, "big5"), (JAPANESE, "cp932"), (KOREAN, "cp949")],
)
async def test_a_damaged_byte_does_not_change_the_encoding(text: str, encoding: str) -> None:
    long = text * 4
    read = decode_text(long.encode(encoding) + b"\xff\n" + long.encode(encoding))
    assert read.startswith(long[:-1])
    assert read.endswith(long)


async def test_bytes_without_any_encoding_are_still_read() -> None:
    assert decode_text(b"a\x81\xffb") == "a\ufffdÿb"


async def test_json_and_yaml_are_written_anew() -> None:
    assert json_text('{"a":["ü",1]}'.encode()) == '{\n  "a": [\n    "ü",\n    1\n  ]\n}'
    assert yaml_text("b: [1, ü]\na: {x: y}".encode()) == "b:\n- 1\n- ü\na:\n  x: y\n"
    assert yaml_text(b"a: 1\n---\nb: 2\n") == "a: 1\n---\nb: 2\n"


@pytest.mark.parametrize(
    ("reader", "data"),
    [
        pytest.param(json_text, b"[" * 200_000, id="deep-json"),
        pytest.param(yaml_text, b"a: [", id="broken-yaml"),
        pytest.param(yaml_text, b"[" * 5_000, id="deep-yaml"),
        pytest.param(yaml_text, b"a: !!python/object/apply:os.getcwd []", id="yaml-with-code"),
        pytest.param(
            yaml_text,
            "\n".join(
                f"a{n}: &a{n} [{','.join(['*a' + str(n - 1)] * 10) if n else 'x'}]" for n in range(12)
            ).encode(),
            id="yaml-bomb",
        ),
        pytest.param(
            yaml_text,
            b"a0: &a0 {x: 1}\n"
            + "\n".join(f"a{n}: &a{n} {{<<: [*a{n - 1}, *a{n - 1}]}}" for n in range(1, 40)).encode(),
            id="yaml-merge-bomb",
        ),
        pytest.param(csv_text, b'"' + b"x" * (11 * 1024 * 1024), id="endless-cell"),
        pytest.param(docx_text, b"no zip", id="no-zip"),
        pytest.param(docx_text, pack({"a": "b"}), id="other-zip"),
        pytest.param(docx_text, docx("<w:p>"), id="broken-xml"),
        pytest.param(odt_text, pack({"content.xml": "<!DOCTYPE a><a/>"}), id="own-document-type"),
        pytest.param(epub_text, pack({"META-INF/container.xml": "<a/>"}), id="book-without-contents"),
        pytest.param(pdf_text, b"no pdf", id="no-pdf"),
        pytest.param(pdf_text, b"%PDF-1.4\n1 0 obj\n<</Type", id="cut-pdf"),
        pytest.param(xlsx_text, pack({"a": "b"}), id="no-workbook"),
    ],
)
async def test_damaged_and_hostile_files_are_refused(reader: Callable[[bytes], str], data: bytes) -> None:
    if reader in (pdf_text, xlsx_text):
        pytest.importorskip("pypdf" if reader is pdf_text else "openpyxl")
    with pytest.raises(TextExtractionError):
        reader(data)


async def test_a_small_file_cannot_become_a_huge_one(monkeypatch: pytest.MonkeyPatch) -> None:
    data = docx(paragraph("x" * 5000))
    assert len(data) < 1000
    monkeypatch.setattr("weft.nodes.document_package.MAX_PLAIN_BYTES", 4000)
    with pytest.raises(TextExtractionError, match="when it is unpacked"):
        Package(data)


async def test_a_member_is_not_read_beyond_the_size_that_it_declares() -> None:
    data = bytearray(pack({"a": "x" * 5000}))
    at = data.rindex(b"PK\x01\x02") + 24  # uncompressed size in the directory
    data[at : at + 4] = (10).to_bytes(4, "little")
    with pytest.raises(TextExtractionError, match="'a'"):
        Package(bytes(data)).read("a")


async def test_xml_may_be_as_deep_as_it_likes() -> None:
    depth = 20_000
    body = "<w:sdt>" * depth + paragraph("deep") + "</w:sdt>" * depth
    assert docx_text(docx(body)) == "deep"


async def test_properties_become_pairs() -> None:
    data = b"# comment\n! another\n\nname = Weft\nurl:https://x/y=z\nflag\nword two words\n"
    assert properties_text(data) == (
        "# comment\n! another\n\nname: Weft\nurl: https://x/y=z\nflag: \nword: two words"
    )


async def test_subtitles_of_one_speaker_are_joined() -> None:
    data = (
        b"WEBVTT\n\nNOTE nothing\n\n1\n00:00.000 --> 00:01.000\n<v Ada>Hello\nthere &amp; here\n\n"
        b"00:01.000 --> 00:02.000\n<v Ada><b>again</b></v>\n\n00:02.000 --> 00:03.000\n<v.loud Bob>Yes\n\n"
        b"00:03.000 --> 00:04.000\nno name\n"
    )
    assert vtt_text(data) == 'Ada "Hello there & here again"\nBob "Yes"\nno name'


async def test_tables_have_as_many_cells_in_every_row() -> None:
    assert markdown_table([["a", "b|c"], ["d\ne"], ["1", "2", "3"]]) == (
        "| a | b\\|c |  |\n| --- | --- | --- |\n| d e |  |  |\n| 1 | 2 | 3 |"
    )
    assert csv_text(b"") == markdown_table([]) == ""


async def test_a_word_file_keeps_the_order_of_paragraphs_and_tables() -> None:
    cells = "<w:tr><w:tc>{}</w:tc><w:tc>{}</w:tc></w:tr>"
    table = cells.format(paragraph("a"), paragraph("b")) + cells.format(
        paragraph("1") + paragraph("2"), f"<w:tbl>{cells.format(paragraph('in'), paragraph('side'))}</w:tbl>"
    )
    body = (
        paragraph("Title")
        + f"<w:tbl>{table}</w:tbl>"
        + "<w:p/>"
        + "<w:p><w:r><w:t>one</w:t><w:tab/><w:t>two</w:t><w:br/><w:t>three</w:t></w:r>"
        + "<w:del><w:r><w:delText>gone</w:delText></w:r></w:del></w:p>"
        + f"<w:sdt><w:sdtContent>{paragraph('end')}</w:sdtContent></w:sdt>"
    )
    assert docx_text(docx(body)) == (  # dsl-106
        "Title\n| a | b |\n| --- | --- |\n| 1 2 | in side |\none\ttwo\nthree\nend"
    )


async def test_word_files_of_a_real_writer_are_read() -> None:
    writer = pytest.importorskip("docx")
    document = writer.Document()
    document.add_heading("Head", 1)
    document.add_paragraph("para")
    table = document.add_table(rows=1, cols=2)
    table.cell(0, 0).text, table.cell(0, 1).text = "l", "r"
    buffer = io.BytesIO()
    document.save(buffer)
    assert docx_text(buffer.getvalue()) == "Head\npara\n| l | r |\n| --- | --- |"


async def test_slides_come_in_the_order_of_the_show() -> None:
    def slide(text: str) -> str:
        return f"<p:sld {SHEETS}><a:p><a:r><a:t>{text}</a:t></a:r></a:p></p:sld>"

    data = pack(
        {
            "ppt/presentation.xml": f"<p:presentation {SHEETS}><p:sldIdLst><p:sldId id='1' r:id='r2'/>"
            "<p:sldId id='2' r:id='r1'/><p:sldId id='3' r:id='gone'/></p:sldIdLst></p:presentation>",
            "ppt/_rels/presentation.xml.rels": "<R><R Id='r1' Target='slides/one.xml'/>"
            "<R Id='r2' Target='/ppt/slides/two.xml'/></R>",
            "ppt/slides/one.xml": slide("One"),
            "ppt/slides/two.xml": slide("Two"),
        }
    )
    assert pptx_text(data) == "Two\n\nOne"


async def test_an_open_document_is_read_with_its_tables() -> None:
    body = (
        "<text:h>Head</text:h><text:p>a<text:s/>b <text:span>c</text:span> d<text:line-break/>e</text:p>"
        "<text:list><text:list-item><text:p>item</text:p></text:list-item></text:list>"
        "<table:table><table:table-row><table:table-cell><text:p>l</text:p></table:table-cell>"
        "<table:table-cell><text:p>r</text:p></table:table-cell></table:table-row></table:table>"
    )
    xml = (
        f"<office:document-content {OPEN}><office:body><office:text>{body}</office:text>"
        "</office:body></office:document-content>"
    )
    assert odt_text(pack({"content.xml": xml})) == "Head\na b c d\ne\nitem\n| l | r |\n| --- | --- |"


async def test_a_book_is_read_chapter_by_chapter() -> None:
    page = (
        "<!DOCTYPE html><html><head><title>T</title></head>"
        "<body><h1>{0}</h1><p>a&nbsp;&amp;<b>b</b></p></body></html>"
    )
    data = pack(
        {
            "META-INF/container.xml": "<c><rootfiles><rootfile full-path='OPS/book.opf'/></rootfiles></c>",
            "OPS/book.opf": "<package><manifest><item id='1' href='one.xhtml'/>"
            "<item id='2' href='../two%20.xhtml'/></manifest>"
            "<spine><itemref idref='2'/><itemref idref='1'/></spine></package>",
            "OPS/one.xhtml": page.format("One"),
            "two .xhtml": page.format("Two"),
        }
    )
    assert epub_text(data) == "Two\na &b\n\nOne\na &b"


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (b"Subject: x\n\n hello \n", "hello"),
        (b"Content-Type: text/html\n\n<p>a<br>b</p><script>c</script>", "a\nb"),
        (b"Content-Type: text/plain; charset=unheard-of\n\nGr\xc3\xbc\xc3\x9fe", "Grüße"),
        (
            b"Content-Type: multipart/mixed; boundary=B\n\n--B\nContent-Type: text/plain\n\nbody\n--B\n"
            b"Content-Disposition: attachment; filename=a.txt\nContent-Type: text/plain\n\nno\n--B--\n",
            "body",
        ),
        (b"Content-Type: image/png\n\nxx", ""),
    ],
)
async def test_a_mail_is_its_body(data: bytes, text: str) -> None:
    assert eml_text(data) == text


async def test_a_workbook_becomes_a_table_for_each_sheet() -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active.append(["name", "n"])
    book.active.append(["Ada", 1.5])
    book.active["A9"] = "far"
    book.create_sheet("empty")
    book.create_sheet("more").append([True, None, "x"])
    buffer = io.BytesIO()
    book.save(buffer)
    assert xlsx_text(buffer.getvalue()) == (  # dsl-106
        "| name | n |\n| --- | --- |\n| Ada | 1.5 |\n| far |  |\n\n| True |  | x |\n| --- | --- | --- |"
    )


async def test_a_workbook_with_too_many_cells_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    book.active["XFD5"] = "far"
    buffer = io.BytesIO()
    book.save(buffer)
    monkeypatch.setattr("weft.nodes.document_extra._MAX_CELLS", 1000)
    with pytest.raises(TextExtractionError, match="more than 1000 cells"):
        xlsx_text(buffer.getvalue())


def make_pdf(text: str) -> bytes:
    stream = f"BT /F1 12 Tf 10 50 Td ({text}) Tj ET".encode()
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 200 100]/Contents 4 0 R/Resources<</Font<</F1 5 0 R>>>>>>",
        b"<</Length %d>>stream\n%s\nendstream" % (len(stream), stream),
        b"<</Type/Font/Subtype/Type1/BaseFont/Helvetica/Encoding/WinAnsiEncoding>>",
    ]
    data, places = b"%PDF-1.4\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    head = b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    trailer = b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, len(data))
    return data + head + table + trailer


async def test_a_pdf_becomes_its_text() -> None:
    pytest.importorskip("pypdf")
    assert pdf_text(make_pdf("Hello page")) == "Hello page"


async def test_a_pdf_with_a_password_is_refused() -> None:
    pypdf = pytest.importorskip("pypdf")
    writer = pypdf.PdfWriter(clone_from=io.BytesIO(make_pdf("hidden")))
    writer.encrypt("secret", algorithm="RC4-128")
    buffer = io.BytesIO()
    writer.write(buffer)
    with pytest.raises(TextExtractionError, match="asks for a password"):
        pdf_text(buffer.getvalue())


@pytest.mark.parametrize(("reader", "library"), [(pdf_text, "pypdf"), (xlsx_text, "openpyxl")])
async def test_a_missing_library_is_named(
    reader: Callable[[bytes], str], library: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, library, None)
    with pytest.raises(UnsupportedFileTypeError, match=rf"{library}.* pip install weft\[docs\]"):
        reader(b"")


async def test_kept_files_are_read_where_they_are_kept() -> None:
    kept = MemoryFiles()
    one, two = kept.add("a.txt", "text/plain", "grün".encode()), kept.add("b.csv", "text/csv", b"a,b\n1,2")
    run = await run_node(EXTRACTOR, {"s.doc": [one, two]}, files=kept)
    assert run.outputs == {"text": ["grün", "| a | b |\n| --- | --- |\n| 1 | 2 |"]}
    assert {user.app_id for user in kept.users} == {"app"}


async def test_a_kept_file_that_is_gone_or_too_large_cannot_be_read() -> None:
    kept = MemoryFiles()
    large, gone = kept.add("a.txt", "text/plain", b"12345"), kept.add("b.txt", "text/plain", b"1")
    del kept.contents[gone.related_id]
    for file in (large, gone):
        limits = Limits(max_node_file_bytes=4)
        run = await run_node(EXTRACTOR, {"s.doc": file}, files=kept, limits=limits)
        assert run.error_type == "FileDownloadError"

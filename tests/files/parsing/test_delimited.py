"""CSV and its relatives."""

import json

import pytest

from tests.files.parsing.conftest import Reader, types


def test_types_come_from_every_row(reader: Reader) -> None:
    rows = b"".join(b"%d,%d,2026-01-01,true\n" % (i, i) for i in range(5_000))
    content = b"a,b,day,flag\n" + rows + b"1,2.5,2026-01-01T10:00:00Z,FALSE\n"
    result = reader.result(content, "data.csv")
    assert types(result) == {"a": "integer", "b": "float", "day": "datetime", "flag": "boolean"}
    assert result["row_count"] == 5_001
    assert len(result["preview"]) == 100
    assert result["preview"][1] == {"a": 1, "b": 1.0, "day": "2026-01-01", "flag": True}


def test_one_word_makes_a_column_text(reader: Reader) -> None:
    assert types(reader.result(b"a,b\n1,2\n2,x\n3,3\n")) == {"a": "integer", "b": "string"}


def test_leading_zeros_are_kept(reader: Reader) -> None:
    result = reader.result(b"zip,n\n01234,1\n90210,2\n")
    assert types(result) == {"zip": "string", "n": "integer"}
    assert result["preview"][0]["zip"] == "01234"


def test_numbers_that_javascript_would_round_are_text(reader: Reader) -> None:
    result = reader.result(b"id,n\n9007199254740993,1\n5,2\n")
    assert [row["id"] for row in result["preview"]] == ["9007199254740993", 5]


def test_gaps_are_null_where_numbers_are_expected(reader: Reader) -> None:
    result = reader.result(b"n,sex\n1,male\nNA,NA\n,female\n")
    assert types(result) == {"n": "integer?", "sex": "string?"}
    assert [tuple(row.values()) for row in result["preview"]] == [(1, "male"), (None, None), (None, "female")]


def test_namibia_is_not_a_gap(reader: Reader) -> None:
    result = reader.result(b"code,name\nDE,Germany\nNA,Namibia\nFR,France\n")
    assert types(result) == {"code": "string", "name": "string"}
    assert result["preview"][1] == {"code": "NA", "name": "Namibia"}


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
def test_the_delimiter_is_found(reader: Reader, delimiter: str) -> None:
    lines = [["name", "price"], ["Käse; alt, gut", "1,5"], ["Brot", "2"], ["a|b", "3"]]
    quoted = "\n".join(delimiter.join(f'"{cell}"' for cell in line) for line in lines)
    result = reader.result(quoted.encode(), "prices.csv")
    assert result["preview"][0] == {"name": "Käse; alt, gut", "price": "1,5"}


def test_quotes_hold_newlines_and_quotes(reader: Reader) -> None:
    result = reader.result(b'a,b\r\n"x\r\ny","he said ""hi"""\r\n2,3\r\n')
    assert result["row_count"] == 2
    assert result["preview"][0] == {"a": "x\r\ny", "b": 'he said "hi"'}


def test_excels_separator_line_is_obeyed_and_left_out(reader: Reader) -> None:
    assert reader.result(b"sep=;\na;b\n1;2\n", "x.csv")["preview"] == [{"a": 1, "b": 2}]


def test_a_table_without_a_header_numbers_its_columns(reader: Reader) -> None:
    result = reader.result(b"1,2\n3,4\n5,6\n")
    assert types(result) == {"column_1": "integer", "column_2": "integer"}
    assert result["row_count"] == 3
    assert result["warnings"] == ["no header was recognised: columns are numbered"]


def test_names_are_made_whole_and_unique(reader: Reader) -> None:
    result = reader.result(b",a\n1,2\n3,4\n5,6\n")
    assert list(types(result)) == ["column_1", "a"]


def test_a_name_may_stand_twice_above_what_is_no_word(reader: Reader) -> None:
    result = reader.result(b"name,name,age\nAda,B,36\nBob,C,41\n", "x.csv")
    assert types(result) == {"name": "string", "name_2": "string", "age": "integer"}
    assert (result["row_count"], result["warnings"]) == (2, [])
    result = reader.result(b"yes,yes,no\nno,yes,no\nno,no,no\n", "x.csv")
    assert list(types(result)) == ["column_1", "column_2", "column_3"]
    assert result["row_count"] == 3


def test_a_lonely_row_of_words_is_a_header(reader: Reader) -> None:
    result = reader.result(b"a,b\n", "x.csv")
    assert (list(types(result)), result["row_count"]) == (["a", "b"], 0)


def test_ragged_rows_are_told(reader: Reader) -> None:
    result = reader.result(b"a,b\n1\n2,3\n4,5,6\n", "x.csv")
    assert result["preview"] == [{"a": 1, "b": None}, {"a": 2, "b": 3}, {"a": 4, "b": 5}]
    assert result["warnings"] == [
        "1 row is shorter than the header, first row 1",
        "1 row is longer than the header, first row 3",
    ]
    assert types(result) == {"a": "integer", "b": "integer?"}


@pytest.mark.parametrize(
    ("encoded", "label"),
    [("utf-8", "utf-8"), ("utf-8-sig", "utf-8"), ("utf-16", "utf-16"), ("utf-32", "utf-32")],
)
def test_unicode_is_read_whatever_its_encoding(reader: Reader, encoded: str, label: str) -> None:
    result = reader.result("näme,größe\nÅsa,日本\nÖ,2\n".encode(encoded))
    assert (result["encoding"], result["preview"][0]) == (label, {"näme": "Åsa", "größe": "日本"})
    assert result["warnings"] == []


def test_a_declared_charset_is_used_when_it_is_not_utf_8(reader: Reader) -> None:
    content = "имя,город\nИван,Москва\nОльга,Тверь\n".encode("cp1251")
    result = reader.result(content, "x.csv", "text/csv; charset=windows-1251")
    assert (result["encoding"], result["preview"][0]) == ("cp1251", {"имя": "Иван", "город": "Москва"})


def test_a_guessed_charset_is_told(reader: Reader) -> None:
    result = reader.result("größe,n\nfünf,5\nzwölf,12\n".encode("cp1252"), content_type="text/csv; charset=zip")
    assert result["preview"][0] == {"größe": "fünf", "n": 5}
    assert result["warnings"] == ["the encoding is not UTF-8 and was guessed: cp1252"]


def test_one_column_is_a_table_when_it_is_called_one(reader: Reader) -> None:
    assert reader.result(b"name\nAnn\nBob\n", "x.csv")["preview"] == [{"name": "Ann"}, {"name": "Bob"}]
    assert reader.result(b"name\nAnn\nBob\n", "x.txt")["kind"] == "text"


def test_a_quote_that_never_closes_limits_the_result(reader: Reader) -> None:
    outcome = reader.read(b'a,b\n1,2\n3,"' + b"x" * 1_100_000, "x.csv")
    assert outcome.status == "limited"
    assert "row 2 cannot be read" in outcome.detail
    assert json.loads(outcome.result)["preview"] == [{"a": 1, "b": 2}]


def test_fifty_thousand_columns_are_cut(reader: Reader) -> None:
    content = b",".join(b"c%d" % i for i in range(50_000)) + b"\n" + b",".join([b"1"] * 50_000)
    outcome = reader.read(content, "x.csv")
    assert (outcome.status, len(json.loads(outcome.result)["schema"])) == ("limited", 2_000)
    assert "50000 columns" in outcome.detail


def test_a_result_never_exceeds_a_mebibyte(reader: Reader) -> None:
    row = ",".join("ü" * 1_500 for _ in range(50))
    content = ",".join(f"c{i}" for i in range(50)) + "\n" + f"{row}\n" * 100
    outcome = reader.read(content.encode(), "x.csv")
    assert outcome.status == "ready"
    assert 100_000 < len(outcome.result) <= 1 << 20
    assert "the preview was shortened to fit" in json.loads(outcome.result)["warnings"]


def test_cells_that_a_spreadsheet_would_run_are_told_and_kept(reader: Reader) -> None:
    rows = b"n,what\n-5,=1+1\n+6,@SUM(A1)\n7,-\n8,-2+3\n9,=1+1\n"
    result = reader.result(rows, "x.csv")
    assert result["formula_like_cells"] == 4
    assert result["warnings"] == ["4 cells begin like a formula (= + - @), first row 1"]
    assert [row["what"] for row in result["preview"]] == ["=1+1", "@SUM(A1)", "-", "-2+3", "=1+1"]


def test_half_of_a_character_is_replaced_and_not_fatal(reader: Reader) -> None:
    result = reader.result("n,name\n1,Åsa\n2,Ö\n".encode("utf-16")[:-1], "x.csv")
    assert result["preview"] == [{"n": 1, "name": "Åsa"}, {"n": 2, "name": "Ö\ufffd"}]
    assert result["warnings"] == ["1 line holds bytes that are not utf-16, first line 3"]


def test_undecodable_lines_are_told_and_do_not_spoil_the_others(reader: Reader) -> None:
    result = reader.result("n,name\n1,Åsa\n2,日本\n3,Ö�\n".encode() + b"4,B\xffb\xfe\n5,\xe6\x97\n", "x.csv")
    assert [row["name"] for row in result["preview"]] == ["Åsa", "日本", "Ö�", "B�b�", "�"]
    assert (result["encoding"], result["warnings"]) == (
        "utf-8",
        ["2 lines hold bytes that are not utf-8, first line 5"],
    )


def test_undecodable_lines_far_into_the_file_are_told(reader: Reader) -> None:
    result = reader.result(b"n,name\n" + b"1,Ann\n" * 500_000 + "2,Åsa\n".encode() * 300_000 + b"3,\xff\n", "x.csv")
    assert (result["encoding"], result["row_count"]) == ("utf-8", 800_001)
    assert result["warnings"] == ["1 line holds bytes that are not utf-8, first line 800002"]


def test_numbers_that_no_float_holds_stay_as_they_are_written(reader: Reader) -> None:
    assert reader.result(b"a,b\n1e999,2\n1.5,2\n")["preview"] == [{"a": "1e999", "b": 2}, {"a": 1.5, "b": 2}]

"""README says what the code does."""

from pathlib import Path

from shared.settings import table

README = (Path(__file__).parent.parent / "README.md").read_text()


def test_the_environment_table_is_the_settings() -> None:
    assert table() in README


def test_the_two_commands_stand_on_the_first_screen() -> None:
    first_screen = README.splitlines()[:14]
    assert any(line.startswith("pip install -e . && traffic-cop up") for line in first_screen)
    assert any(line.startswith("pip install -e '.[dev]' && pytest") for line in first_screen)

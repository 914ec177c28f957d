from click.testing import CliRunner

from benchmarks.threads import main


def test_no_value_of_a_study_in_threads_is_wrong() -> None:
    result = CliRunner().invoke(main, ["--jobs", "4", "--trials", "24"])
    assert result.exit_code == 0, result.output
    lines = result.output.splitlines()[1:]
    assert [line.partition(" values")[0] for line in lines] == [
        "mobile: 0 of 24",
        "slimmable: 0 of 24",
    ]

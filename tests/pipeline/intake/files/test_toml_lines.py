from pipeline.intake.files.toml_lines import key_lines, line_of

TEXT = """\
id = "x"
reward.value = "10.00"

  [delivery] # comment
channels = ["email"]
window = { start = "09:00" }

[email]
text = \"\"\"
subject = "not a key"
[sms]
\"\"\"
html = '''one'''
"reply_to" = "a"
[ "li mits" . sms ]
x = 1
"""


def test_keys_are_found_on_their_lines() -> None:
    lines = key_lines(TEXT)

    assert lines == {
        ("id",): 1,
        ("reward", "value"): 2,
        ("delivery",): 4,
        ("delivery", "channels"): 5,
        ("delivery", "window"): 6,
        ("email",): 8,
        ("email", "text"): 9,
        ("email", "html"): 13,
        ("email", "reply_to"): 14,
        ("li mits", "sms"): 15,
        ("li mits", "sms", "x"): 16,
    }


def test_the_innermost_known_part_answers_for_what_is_not_found() -> None:
    lines = key_lines(TEXT)

    assert line_of(lines, ("delivery", "window", "end")) == 6
    assert line_of(lines, ("email", "subject")) == 8
    assert line_of(lines, ("name",)) is None

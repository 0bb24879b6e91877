@pytest.mark.parametrize(
    ("user", "written"),
    [("+33612345678", "+33612345678"), ("a@b", "a%40b"), ("12#", "12%23"), ("é", "%C3%A9")],
)
def test_a_user_is_escaped_and_read_again(user: str, written: str) -> None:
    uri = SipUri("h", escape_user(user))
    assert str(uri) == f"sip:{written}@h"
    assert parse_sip_uri(str(uri)).decoded_user == user

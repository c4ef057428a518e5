from hypothesis import given
from hypothesis import strategies as st

from ensemble.errors import RecipeError
from ensemble.yaml_text import dump_yaml, load_yaml

text = st.text(st.characters(codec="utf-8"), max_size=12) | st.sampled_from(
    ["1e5", "0o17", "null", "~", "", "true", "+.inf", "a: b", "# x", "- x", "<<", "*a", "&a", "!t", "off", "-1_0", "1."]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | text
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(text, inner, max_size=3), max_leaves=8
)


@given(data=st.dictionaries(text, values, min_size=1, max_size=4))
def test_what_is_dumped_is_read_back(data, tmp_path_factory):
    path = tmp_path_factory.getbasetemp() / "round_trip.yaml"
    path.write_text(dump_yaml(data), encoding="utf-8", newline="")
    got = load_yaml(path, error=RecipeError).data
    assert got == data
    assert repr(got) == repr(data)  # 1 is not 1.0, and not True

"""A production cloud's own colour: read on every theme, in the place of the common one, and never the only sign."""

import colorsys
from pathlib import Path

import pytest
from standin import StandIn, sample
from still_screen import running, screen_text

from console.core.settings import BANNERS, CloudSettings, Paths, Settings, load_settings
from console.errors import ConfigError
from console.model.place import Place
from console.tui.app import NovadeckApp
from console.tui.banners import banner, dressed, tint
from console.tui.deck import Deck
from console.tui.dialogs import Dialog
from console.tui.theme import GROUNDS, UNICODE, contrast, load_theme, theme_files
from console.tui.tones import palette
from console.tui.wardrobe import Wardrobe

THEMES = sorted(theme_files())
HEX = [name for name in THEMES if load_theme(name).kind == "hex"]
WANTED = ("#000000", "#ffffff", "#777777", "#e0a020", "#0000ff", "#ff0000", "#00ff00", "#123456", *BANNERS)
GOLD = "#e0a020"


def worn(name: str, wanted: str, tones: str = "full") -> dict[str, str]:
    wardrobe = Wardrobe(colours=tones)
    wardrobe.clouds = {"prod": wanted}
    return dict(wardrobe.load(name).colours)


@pytest.mark.parametrize("wanted", WANTED)
@pytest.mark.parametrize("tones", ["full", "256"])
@pytest.mark.parametrize("name", HEX)
def test_any_colour_is_read_on_any_theme(name: str, tones: str, wanted: str) -> None:
    colours = worn(name, wanted, tones)
    own, plain = colours.pop("production prod"), Wardrobe(colours=tones).load(name).colours
    assert all(round(contrast(own, colours[ground]), 1) >= (4.0 if ground == "cursor" else 4.5) for ground in GROUNDS)
    assert round(contrast(own, colours.pop("tint prod")), 1) >= 4.5
    assert colours == plain, "no other role has changed"
    assert tones == "full" or {own} <= set(palette())


@pytest.mark.parametrize("name", HEX)
def test_it_stays_as_near_to_itself_as_it_can_be(name: str) -> None:
    theme = load_theme(name)
    hue = colorsys.rgb_to_hsv(*(int(worn(name, GOLD)["production prod"][at : at + 2], 16) / 255 for at in (1, 3, 5)))[0]
    assert hue == pytest.approx(40 / 360, abs=0.02)
    assert worn(name, "ok")["production prod"] == theme.colours["ok"]
    assert worn(name, theme.colours["busy"])["production prod"] == theme.colours["busy"], "what reads well is left"


def test_a_terminal_of_few_colours_keeps_the_common_mark_or_the_role() -> None:
    ansi, mono = load_theme("ansi16"), load_theme("mono")
    assert dressed(ansi, {"prod": GOLD}).colours["production prod"] == ansi.colours["production"]
    assert dressed(ansi, {"prod": "warn"}).colours["production prod"] == ansi.colours["warn"]
    assert dressed(mono, {"prod": GOLD}).kind == "mono"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ('production = true\ncolour = "gold"', "colour must be like #e0a020, or one of accent, busy, error, ok"),
        ('production = true\ncolour = "#e0a"', "colour must be like #e0a020, or one of"),
        ('production = true\ncolour = "faint"', "colour must be like #e0a020, or one of"),
        ('colour = "#e0a020"', "a colour marks production, so production = true must stand beside it"),
    ],
)
def test_what_cannot_be_a_mark_is_refused_with_its_place(tmp_path: Path, text: str, sentence: str) -> None:
    paths = Paths(tmp_path, tmp_path, tmp_path)
    paths.config_file.write_text(f'theme = "moss"\n[clouds.prod]\n{text}\n')
    with pytest.raises(ConfigError, match=r"config\.toml, line 2: clouds\.prod: ") as caught:
        load_settings(paths)
    assert sentence in caught.value.message


def two_clouds() -> StandIn:
    """Two of the clouds are production, one in gold."""
    console = sample()
    gold, common = CloudSettings(production=True, colour=GOLD), CloudSettings(production=True)
    console.settings = Settings(clouds={"prod": gold, "lab": common})
    return console


def colours_of(app: NovadeckApp, text: str) -> set[str]:
    """The colours in which this text stands on the screen."""
    lines = app.screen._compositor.render_strips(app.size)
    return {
        segment.style.color.name
        for line in lines
        for segment in line
        if segment.style and segment.style.color and text in segment.text
    }


async def test_gutter_badge_and_edge_are_of_the_cloud_that_a_row_is_of() -> None:
    async with running(two_clouds(), (160, 50)) as (app, pilot):
        colours = app.ink.theme.colours
        both = {colours[banner("prod")], colours["production"]}
        assert len(both) == 2 and colours[banner("prod")] == GOLD
        assert colours_of(app, UNICODE.production) == both == colours_of(app, " PROD ")
        await pilot.press("/", *"name:^db-2$", "enter", "enter")
        await pilot.pause()
        assert colours_of(app, "PROD") == both, "the header has both lanes"
        await pilot.press("D")
        await pilot.pause()
        assert isinstance(app.screen, Dialog) and app.screen.topic.production == banner("prod")
        assert colours_of(app, UNICODE.edge) == {GOLD}
        assert colours_of(app, " PROD ") >= {GOLD}
        await pilot.press("escape", "T", "down")
        await pilot.pause()
        assert colours_of(app, UNICODE.production) <= set(app.ink.theme.colours.values())
        await pilot.press("escape")
        assert app.ink.theme.colours[banner("prod")] == GOLD


def test_what_is_asked_of_two_production_clouds_has_the_common_edge() -> None:
    deck, prod, lab = Deck(two_clouds(), UNICODE), Place("prod", "dfw"), Place("lab", "ber")  # type: ignore[arg-type]
    assert deck.production(prod, prod) == deck.production(prod, Place("edge")) == banner("prod")
    assert deck.production(prod, lab) == "production"
    assert deck.production(Place("edge"), Place("unheard")) == ""


@pytest.mark.parametrize("theme", ["mono", "ansi16"])
async def test_without_its_colour_the_mark_and_the_word_stay(theme: str) -> None:
    async with running(two_clouds(), (120, 40), theme) as (app, _):
        text = screen_text(app)
        assert UNICODE.production in text and ("[PROD]" if theme == "mono" else " PROD ") in text
        assert theme == "ansi16" or not any(one.startswith("#") for one in colours_of(app, UNICODE.production))


def test_the_ground_of_a_badge_is_named_after_its_role() -> None:
    assert (tint("production"), tint(banner("my production"))) == ("tint", "tint my production")

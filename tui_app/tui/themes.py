"""Four themes. None says anything by colour that a word and a glyph do not say as well."""

from __future__ import annotations

from textual.theme import Theme

from tui_app.domain.errors import UsageProblem
from tui_app.domain.filters import nearest

DARK = Theme(
    "quash-dark",
    primary="#5fafff",
    secondary="#87afd7",
    accent="#ffaf5f",
    foreground="#d7d7d7",
    background="#121416",
    surface="#1b1e21",
    panel="#262a2e",
    success="#87d787",
    warning="#ffd75f",
    error="#ff8787",
    dark=True,
)
LIGHT = Theme(
    "quash-light",
    primary="#005f9e",
    secondary="#4a6b8a",
    accent="#9a5200",
    foreground="#1c1c1c",
    background="#fafafa",
    surface="#efefef",
    panel="#e0e3e6",
    success="#00640a",
    warning="#8a5a00",
    error="#b00020",
    dark=False,
)
CONTRAST = Theme(
    "quash-contrast",
    primary="#00ffff",
    secondary="#ffffff",
    accent="#ffff00",
    foreground="#ffffff",
    background="#000000",
    surface="#000000",
    panel="#1c1c1c",
    success="#00ff00",
    warning="#ffff00",
    error="#ff9d9d",
    dark=True,
)
# Blue and orange stay apart for every common kind of colour blindness; green and red do not.
COLOUR_BLIND = Theme(
    "quash-colour-blind",
    primary="#56b4e9",
    secondary="#999999",
    accent="#f0e442",
    foreground="#e4e4e4",
    background="#101214",
    surface="#1a1d20",
    panel="#25292d",
    success="#56b4e9",
    warning="#f0e442",
    error="#e69f00",
    dark=True,
)

THEMES = (DARK, LIGHT, CONTRAST, COLOUR_BLIND)
NAMES = tuple(theme.name for theme in THEMES)


def check_theme(name: str) -> str:
    """Refuse a theme that there is not.

    Raises:
        UsageProblem: naming the nearest one, or all.
    """
    if name in NAMES:
        return name
    near = nearest(name, NAMES)
    hint = f"Did you mean {near!r}?" if near else f"Themes: {', '.join(NAMES)}."
    raise UsageProblem(f"there is no theme {name!r}", hint=hint)

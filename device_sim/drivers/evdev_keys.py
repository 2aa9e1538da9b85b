"""The names of the keys that buttons send, as Linux has them (input-event-codes.h)."""

from typing import Final

_NAMES = """
ESC=1 1=2 2=3 3=4 4=5 5=6 6=7 7=8 8=9 9=10 0=11 MINUS=12 EQUAL=13 BACKSPACE=14 TAB=15
Q=16 W=17 E=18 R=19 T=20 Y=21 U=22 I=23 O=24 P=25 LEFTBRACE=26 RIGHTBRACE=27 ENTER=28 LEFTCTRL=29
A=30 S=31 D=32 F=33 G=34 H=35 J=36 K=37 L=38 SEMICOLON=39 APOSTROPHE=40 GRAVE=41 LEFTSHIFT=42
BACKSLASH=43 Z=44 X=45 C=46 V=47 B=48 N=49 M=50 COMMA=51 DOT=52 SLASH=53 RIGHTSHIFT=54
KPASTERISK=55 LEFTALT=56 SPACE=57 CAPSLOCK=58 F1=59 F2=60 F3=61 F4=62 F5=63 F6=64 F7=65 F8=66 F9=67
F10=68 F11=87 F12=88 KPENTER=96 RIGHTCTRL=97 RIGHTALT=100 HOME=102 UP=103 PAGEUP=104 LEFT=105
RIGHT=106 END=107 DOWN=108 PAGEDOWN=109 INSERT=110 DELETE=111 MUTE=113 VOLUMEDOWN=114 VOLUMEUP=115
POWER=116 PAUSE=119 LEFTMETA=125 RIGHTMETA=126 COMPOSE=127 STOP=128 MENU=139 SLEEP=142 WAKEUP=143
BACK=158 FORWARD=159 NEXTSONG=163 PLAYPAUSE=164 PREVIOUSSONG=165 STOPCD=166 RECORD=167 REWIND=168
PHONE=169 HOMEPAGE=172 REFRESH=173 F13=183 F14=184 F15=185 F16=186 F17=187 F18=188 F19=189 F20=190
F21=191 F22=192 F23=193 F24=194 PLAYCD=200 PAUSECD=201 PLAY=207 FASTFORWARD=208 CAMERA=212
SEARCH=217 BRIGHTNESSDOWN=224 BRIGHTNESSUP=225 MEDIA=226 OK=352 SELECT=353 PROGRAM=362 NEXT=407
PREVIOUS=412 CAMERA_FOCUS=528
"""
_BUTTONS = """
0=256 1=257 2=258 3=259 4=260 5=261 6=262 7=263 8=264 9=265 LEFT=272 RIGHT=273 MIDDLE=274 SIDE=275
EXTRA=276 FORWARD=277 BACK=278 TASK=279 TRIGGER=288 THUMB=289 THUMB2=290 TOP=291 TOP2=292
PINKIE=293 BASE=294 BASE2=295 BASE3=296 BASE4=297 BASE5=298 BASE6=299 SOUTH=304 EAST=305 C=306
NORTH=307 WEST=308 Z=309 TL=310 TR=311 TL2=312 TR2=313 SELECT=314 START=315 MODE=316 THUMBL=317
THUMBR=318 TOUCH=330
"""


def _read(prefix: str, names: str) -> dict[str, int]:
    pairs = (pair.split("=") for pair in names.split())
    return {prefix + name: int(code) for name, code in pairs}


KEYS: Final = _read("KEY_", _NAMES) | _read("BTN_", _BUTTONS)
"""Name -> code. Whatever else there is goes by its number."""
HIGHEST: Final = 0x2FF
_NAME_OF: Final = {code: name for name, code in KEYS.items()}


def key_code(text: str) -> int:
    """Return the code of a key: `KEY_VOLUMEUP`, `volumeup`, `BTN_LEFT`, `115` or `0x73`.

    Raises:
        ValueError: it is none of these.
    """
    name = text.strip().upper()
    for known in (name, f"KEY_{name}"):
        if known in KEYS and not name.isdigit():
            return KEYS[known]
    try:
        code = int(name, 0)
    except ValueError as error:
        raise ValueError(f"{text!r} is no key that is known by name") from error
    if not 0 < code <= HIGHEST:
        raise ValueError(f"{text!r} is not between 1 and {HIGHEST}")
    return code


def key_name(code: int) -> str:
    """Return a key's name, or its number where it has none here."""
    return _NAME_OF.get(code, str(code))

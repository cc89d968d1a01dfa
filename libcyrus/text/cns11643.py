"""The first two planes of CNS 11643, Taiwan's characters, and the charsets made of them.

Both planes have the characters of Big5 in the same order, but for a few, and more symbols. Other planes are
not known. What is read, and what is an error, is as ICU has it.
"""

from __future__ import annotations

import zlib
from base64 import b85decode
from collections.abc import Callable
from functools import cache
from typing import Final

REPLACEMENT: Final = "\ufffd"

_SYMBOL_ROWS: Final = (*range(0x21, 0x2C), 0x42)
# what these rows of plane 1 have, UTF-16, zlib, base 85
_SYMBOLS: Final = (
    "c-qC3cXyRl9)&MC1PBBOkU)SW-1p_2KmghMa6?CW?>E#y0x1xh^w2@2NR!^Xgcf=Uy@Qlc1O#Oqr=rL>PVbI0dVcc(X07>;HS75X"
    "dp-MMK%!ZK5mF&oM`}t9sU;;GgULbT`ns@73!HcT-2gYx4U&vttg~*g3z>YE>iS3-iE@oy6B#O*uBmIrSjM^Lt_5RQ$+dK?SeE77"
    "o31s>Fv_)YZ5hq-uAOVo3asclxQ;H}4RJ$VhRbxrg7LxX!GvHU6PXlj9Bd>?N=eyZ%RnKOd1#)P)27HgPA-)kX^PEVQ($(RtL93h"
    "y<TLnwY-!z5szFq*WLAUy<HF2(+zi7E?de;`M_s^Zv&_N8j>JMlIZ98qx>vC$xrjMU5?9jBiu-r=eP1x{CfU=Kj_!;uZNz6p8ECu"
    "hJIr|HMwnadw-+9)m!VW_ttr9yiML_Z>zV(H-2rYD6RZBH(E-{D^`{l@`Xf7&{JNN8{@{haiQm-9ig3}U7^RJg3zka>d@`L$#8mj"
    "Xn0sSGn^gH9q@JjH*+7G`DTGxXcn3G%wn^|EH$gmDznn8Fz=h?W|?VaQcVM+O@i5A0w%(2G|?u;#F}_B-b^r)%tX`I3^QX*w)xV$"
    "G_TB8X0n-LrpgbmnHZ@gm8FWrN}N=cY7#Hiy(}-=%kgr(5#C5I&l}~9_Queo&)U>9OlBR{WeS_IIa`P)zSI^iMv|qD)Rh#eC-tR)"
    "ydez*Lb1|FLXs+trHM3^X3|_*NIPjS9i*dllFrgax=J_cE<L2D^pf7vNBT-w(xjjCmjN<R2FYMammzAcTBp{l4Qiv>q&BN9YOC6&"
    "wyPa#r`n}HP`g!u+N<`d{px@!R0q`|bxIYf)9Q>mtInzO>VmqcE~(4vin^+<sq5;7x~Xod+v<+GtBTb<b>BwXQns`$W20<YTh2z?"
    "^0tDlXk%<8TiI5zu{O?Dwbg9At!``Bnl`~E+9X@c2CZj(Tia@DY_hFm>)Mov&m-<fJcuZccxda{`nJJ~z>5<9y}QoR**Zt(>JfUR"
    "&eNmxXgx;f>uGwro}p*zS$ejfqvz^*-Xw3bH^rOk<$Ke->D~-)rZ?-gJMlk(hX6_-0tzJ&iBi3HqYR=@7Ud9)^5G+>h!|8t<+Se*"
    "i#Sw8HN>MjYM>?(kccGILJ&S`L&G2$bx;>6sE7I)6YvHa0w63JA%s*kMiVqeGc-pFv_vbsiPmU?wrGd;=zxysgwE)KuIPsD=z*T-"
    "h2H3cz6c`?{m>r+Fc5<<80i>-p~yfchG96ekc}MVVgyDa52G*|V=xxu@D|2n0w!V-CSwYwA|KN*9WyW!voITTFc<UiHr~Ozn2!Zm"
    "h(+_i$6_qOQY^#r1v9Y%E3pczu?B0g4(qW28?gzSu?1VP4coB;JFyENU^fb|2Yay(`*8q;IEX_yj3YRTV>pfzIEhmz!fBkrS)9Xp"
    "T);(K!ev~+Rb0b$+`vtIh+DXgJGhHt+{1l5z(ah5M|g}U_!v*|44>drJh!`Tf!$;G+I@DvJzxv%L3_v^wnywyd(0lUC+tak$`;wv"
    "_KZDi&)M^A$M)>Nj_kzF?82_>#_sIFp6tcm?8CkcGmZV&p946MgE*M!9KxZ@U?zugIJ20|9OiNaM>3D2IGSTPmgD#q$8!QFauO$V"
    "3a2uk(>R?oIFqwDn{zmq^Y}L3;k%sA1zgBQe2<H{giE=M%lST6a3xo9HP>)0*Ks{Ja4WZQJ9ls=cd>wbxR?95p9fgTgFM8;Ji?<q"
    "#^XG}lRU*Dp5_^z<vE_`1zzMOUgi~E<uzXC4c_F3yv5tR!@DfzJ>KU7KIBJy#K(NXkNK3(_z6GdbN+~*@yGm}KjBaLGya^v;4k@t"
    "U+_!5<X3#fU-4`Hn&0p@{4IaS-}4XrBmcxd^Dq1>|Hi-bAN-d8<ahiR|IP3D1KsO?s}ATAIzlU5Qb+1iy0k8%qjXtaPDktVx`M8#"
    "V{|25Sy$1qI!;&B)pWeBu50L;IzcDuBwb5;!J{nw|0&IX0F}N@Dg"
)

# By plane: the first row, the first byte that Big5 has for it, and the number of characters.
_LEVELS: Final = {1: (0x44, 0xA4, 5401), 2: (0x21, 0xC9, 7650)}
# Characters that are elsewhere than in Big5, with their places.
_MOVED: Final = {
    1: "1836耄 3713銬 4626薦 4732彞 4900嚨 4955繳",
    2: (
        "43刉 138攷 2146笻 2792筇 2893莚 4930錥 5077徻 5365螤 5723磿"
        " 6312鎀 6530舋 6644鎥 6787瀪 6904鐼 7589鬮 7645爩"
    ),
}
# Characters that Big5 has in the level and the plane has not.
_ABSENT: Final = {1: "彝", 2: "\ufa0c\ufa0d"}
_CELLS: Final = range(0x21, 0x7F)
_HIGH: Final = range(0xA1, 0xFF)
_ROW: Final = len(_CELLS)
_PLANE: Final = 0x8E

_ESCAPE: Final = 0x1B
_SHIFT_OUT: Final = 0x0E
_SHIFT_IN: Final = 0x0F
_GB2312: Final = 0
_DESIGNATIONS: Final = {b"\x1b$)A": _GB2312, b"\x1b$)G": 1, b"\x1b$*H": 2}
_SECOND: Final = b"\x1bN"

Decoder = Callable[[bytes], str]


def character(plane: int, row: int, cell: int) -> str:
    """The character in a place, row and cell from 0x21; U+FFFD if there is none, or none that is known."""
    if plane not in _LEVELS or cell not in _CELLS:
        return REPLACEMENT
    first, _, count = _LEVELS[plane]
    place = (row - first) * _ROW + cell - 0x21
    if 0 <= place < count:
        return _level(plane)[place]
    if plane == 1 and row in _SYMBOL_ROWS:
        return _symbols()[_SYMBOL_ROWS.index(row) * _ROW + cell - 0x21]
    return REPLACEMENT


@cache
def _symbols() -> str:
    return zlib.decompress(b85decode(_SYMBOLS)).decode("utf-16-be")


@cache
def _level(plane: int) -> list[str]:
    _, lead, count = _LEVELS[plane]
    moved = [(int(item[:-1]), item[-1]) for item in _MOVED[plane].split()]
    elsewhere = {char for _, char in moved} | set(_ABSENT[plane])
    trails = (*range(0x40, 0x7F), *range(0xA1, 0xFF))
    rows = range(lead, lead + count // len(trails) + 1)
    codes = (bytes((row, trail)) for row in rows for trail in trails)
    chars = [char for char in (code.decode("big5", "ignore") for code in codes) if char not in elsewhere]
    for place, char in moved:
        chars.insert(place, char)
    return chars[:count]


def decode_euc_tw(data: bytes) -> str:
    out: list[str] = []
    at, size = 0, len(data)
    while at < size:
        byte = data[at]
        if byte < 0x80:
            out.append(chr(byte))
            at += 1
            continue
        plane = 1
        length = 2
        if byte == _PLANE:
            plane = data[at + 1] - 0xA0 if at + 1 < size else 0
            length = 4
        code = data[at + length - 2 : at + length]
        if len(code) == 2 and code[0] in _HIGH and code[1] in _HIGH and 1 <= plane <= 15:
            # plane 1 has no other way to be written
            known = plane if length == 2 or plane > 1 else 0
            out.append(character(known, code[0] - 0x80, code[1] - 0x80))
            at += length
        else:
            # controls are themselves, and what is cut short is a mark of substitution
            out.append(chr(byte) if byte < 0xA0 and byte != _PLANE else "\x1a")
            at += 1
    return "".join(out)


def iso2022_cn(decode_gb2312: Decoder) -> Decoder:
    """A decoder for ISO-2022-CN (RFC 1922), GB 2312 and the planes that are known."""

    def decode(data: bytes) -> str:
        out: list[str] = []
        designated: int | None = None
        second = shifted = empty = False
        at, size = 0, len(data)
        while at < size:
            byte = data[at]
            escape = data[at : at + 4] if byte == _ESCAPE else b""
            if empty and (escape in _DESIGNATIONS or second and escape.startswith(_SECOND)):
                # nothing between two shifts is an error
                out.append(REPLACEMENT)
            if escape in _DESIGNATIONS:
                plane, empty = _DESIGNATIONS[escape], False
                second = second or plane == 2
                designated = designated if plane == 2 else plane
                at += 4
            elif second and escape.startswith(_SECOND):
                code, empty = escape[2:], False
                out.append(character(2, *code) if len(code) == 2 else REPLACEMENT)
                at += 4
            elif byte == _SHIFT_OUT and designated is not None:
                shifted = empty = True
                at += 1
            elif byte == _SHIFT_IN:
                if empty:
                    out.append(REPLACEMENT)
                shifted = empty = False
                at += 1
            elif byte in b"\r\n":
                # everything ends with the line
                designated, second, shifted, empty = None, False, False, False
                out.append(chr(byte))
                at += 1
            elif shifted and byte not in (_ESCAPE, _SHIFT_OUT):
                empty = False
                pair = data[at : at + 2]
                at += 2
                if len(pair) < 2 or pair[0] not in _CELLS or pair[1] not in _CELLS:
                    out.append(REPLACEMENT)
                    at -= len(pair) == 2 and (
                        pair[1] in _CELLS or pair[1] in (_ESCAPE, _SHIFT_OUT, _SHIFT_IN)
                    )
                elif designated == _GB2312:
                    char = decode_gb2312(bytes(octet | 0x80 for octet in pair))
                    out.append(char if len(char) == 1 else REPLACEMENT)
                else:
                    out.append(character(1, *pair))
            else:
                out.append(chr(byte) if byte < 0x80 and byte not in (_ESCAPE, _SHIFT_OUT) else REPLACEMENT)
                at += 1
        return "".join(out)

    return decode

"""Tables of charsets: every name that mail may use, and the codes that Python's codecs lack or map otherwise.

They follow ICU, by which the original converts. ``NAMES`` has a line per
charset: what we call it, then its other names, letters and digits only, in
lower case, without leading zeros. The packed tables are zlib data in base 85.
"""

from __future__ import annotations

from typing import Final

NAMES: Final = """\
UTF-8 cp1208 ibm1208 ibm1209 ibm13496 ibm13497 ibm17592 ibm17593 ibm5304 ibm5305 unicode11utf8
+ unicode20utf8 utf8 windows65001 xutf8j
UTF-16 csunicode ibm1204 ibm1205 iso10646ucs2 ucs2 unicode utf16
UTF-16BE cp1200 cp1201 ibm1200 ibm1201 ibm13488 ibm13489 ibm17584 ibm17585 ibm21680 ibm21681 ibm25776
+ ibm25777 ibm29872 ibm29873 ibm61955 ibm61956 unicodebigunmarked utf16be utf16bigendian
+ utf16oppositeendian windows1201 xutf16be
UTF-16LE ibm1202 ibm1203 ibm13490 ibm13491 ibm17586 ibm17587 ibm21682 ibm21683 ibm25778 ibm25779
+ ibm29874 ibm29875 unicodelittleunmarked utf16le utf16littleendian utf16platformendian windows1200
+ xutf16le
UTF-32 csucs4 ibm1236 ibm1237 iso10646ucs4 ucs4 utf32
UTF-32BE ibm1232 ibm1233 ibm9424 utf32be utf32bigendian utf32oppositeendian
UTF-32LE ibm1234 ibm1235 utf32le utf32littleendian utf32platformendian
UTF-16BE,version=1 unicodebig utf16beversion1
UTF-16LE,version=1 unicodelittle utf16leversion1 xutf16lebom
UTF-16,version=1 utf16version1
UTF-16,version=2 utf16version2
UTF-7 unicode11utf7 unicode20utf7 utf7 windows65000
IMAP-mailbox-name imapmailboxname
SCSU ibm1212 ibm1213 scsu
BOCU-1 bocu1 csbocu1 ibm1214 ibm1215
CESU-8 cesu8 ibm9400
ISO-8859-1 819 88591 cp819 csisolatin1 ibm819 iso88591 iso885911987 isoir100 l1 latin1
US-ASCII 646 ansix341968 ansix341986 ascii ascii7 cp367 csascii ibm367 iso646irv1983 iso646irv1991
+ iso646us isoir6 us usascii windows20127
gb18030 gb18030 ibm1392 windows54936
ibm-912_P100-1995 88592 912 cp912 csisolatin2 ibm912 ibm912p1001995 iso88592 iso885921987 isoir101 l2
+ latin2 windows28592
ibm-913_P100-2000 88593 913 cp913 csisolatin3 ibm913 ibm913p1002000 iso88593 iso885931988 isoir109 l3
+ latin3 windows28593
ibm-914_P100-1995 88594 914 cp914 csisolatin4 ibm914 ibm914p1001995 iso88594 iso885941988 isoir110 l4
+ latin4 windows28594
ibm-915_P100-1995 88595 915 cp915 csisolatincyrillic cyrillic ibm915 ibm915p1001995 iso88595
+ iso885951988 isoir144 windows28595
ibm-1089_P100-1995 1089 88596 arabic asmo708 cp1089 csisolatinarabic ecma114 ibm1089 ibm1089p1001995
+ iso88596 iso885961987 iso88596e iso88596i isoir127 windows28596 xiso88596s
ibm-9005_X110-2007 88597 csisolatingreek ecma118 elot928 greek greek8 ibm9005 ibm9005x1102007 iso88597
+ iso885971987 isoir126 suneugreek windows28597
ibm-813_P100-1995 813 cp813 ibm813 ibm813p1001995
ibm-5012_P100-1999 88598 csisolatinhebrew hebrew hebrew8 ibm5012 ibm5012p1001999 iso88598 iso885981988
+ iso88598e iso88598i isoir138 windows28598
ibm-916_P100-1995 916 cp916 ibm916 ibm916p1001995
ibm-920_P100-1995 88599 920 cp920 csisolatin5 ecma128 ibm920 ibm920p1001995 iso88599 iso885991989
+ isoir148 l5 latin5 turkish turkish8 windows28599
iso-8859_10-1998 csisolatin6 iso885910 iso8859101992 iso8859101998 isoir157 l6 latin6
iso-8859_11-2001 iso885911 iso8859112001 thai8 xiso885911
ibm-921_P100-1995 885913 921 cp921 ibm921 ibm921p1001995 iso885913 windows28603 xibm921
iso-8859_14-1998 iso885914 iso8859141998 isoceltic isoir199 l8 latin8
ibm-923_P100-1998 885915 923 cp923 csisolatin0 csisolatin9 ibm923 ibm923p1001998 iso885915 iso885915fdis
+ l9 latin0 latin9 windows28605
ibm-942_P12A-1999 ibm932 ibm932vsubvpua ibm942 ibm942p12a1999 ibm942vsubvpua shiftjis78 sjis78 xibm942
+ xibm942c
ibm-943_P15A-2003 cp932 cp943c csshiftjis cswindows31j ibm943c ibm943p15a2003 ibm943vsubvpua ms932
+ mskanji pck shiftjis sjis windows31j windows932 xjisautodetect xms932213 xmscp932 xsjis
ibm-943_P130-1999 943 cp943 ibm943 ibm943p1301999 ibm943vasciivsubvpua xibm943
ibm-33722_P12A_P12A-2009_U2 ibm33722p12ap12a2009u2 ibm33722vpua ibmeucjp
ibm-33722_P120-1999 33722 cp33722 ibm33722 ibm33722p1201999 ibm33722vasciivpua ibm5050 xibm33722
+ xibm33722a xibm33722c
ibm-954_P101-2007 ibm954 ibm954p1012007 xibm954 xibm954c
euc-jp-2007 cseucpkdfmtjapanese eucjis eucjp eucjp2007 extendedunixcodepackedformatforjapanese ujis
+ xeucjp
ibm-1373_P100-2002 ibm1373 ibm1373p1002002
windows-950-2000 big5 csbig5 ms950 windows950 windows9502000 xbig5 xwindows950
ibm-950_P110-1999 950 cp950 ibm950 ibm950p1101999 xibm950
ibm-1375_P100-2008 big5hk big5hkscs hkscsbig5 ibm1375 ibm1375p1002008
ibm-5471_P100-2006 big5hkscsunicode30 hkbig5 ibm5471 ibm5471p1002006 ms950hkscs xms950hkscs
ibm-1386_P100-2001 cp1386 ibm1386 ibm1386p1002001 ibm1386vsubvpua
windows-936-2000 cp936 gbk ms936 windows936 windows9362000
ibm-1383_P110-1999 1383 cp1383 csgb2312 euccn gb2312 hp15cn ibm1383 ibm1383p1101999 ibm1383vpua ibmeuccn
ibm-5478_P100-1995 chinese csiso58gb231280 gb23121980 gb231219800 gb231280 ibm5478 ibm5478p1001995
+ isoir58
euc-tw-2014 euctw euctw2014
ibm-964_P110-1999 964 cns11643 cp964 ibm964 ibm964p1101999 ibm964vpua ibmeuctw xibm964
ibm-949_P110-1999 949 cp949 ibm949 ibm949p1101999 ibm949vasciivsubvpua xibm949
ibm-949_P11A-1999 cp949c ibm949c ibm949p11a1999 ibm949vsubvpua xibm949c
ibm-970_P110_P110-2006_U2 5601 970 cp970 cseuckr euckr ibm970 ibm970p110p1102006u2 ibm970vpua ibmeuckr
+ windows51949 xibm970
windows-949-2000 csksc56011987 isoir149 korean ksc5601 ksc56011987 ksc56011989 ms949 windows949
+ windows9492000 xksc5601
ibm-971_P100-1995 ibm971 ibm971p1001995 ibm971vpua xibm971
ibm-1363_P11B-1998 cp1363 ibm1363p11b1998 ibm1363vsubvpua ksc xibm1363c
ibm-1363_P110-1997 ibm1363 ibm1363p1101997 ibm1363vasciivsubvpua xibm1363
windows-874-2000 ms874 tis620 windows874 windows8742000 xwindows874
ibm-874_P100-1995 cp874 eucth ibm874 ibm874p1001995 ibm9066 tis6202533 xibm874
ibm-1162_P100-1999 ibm1162 ibm1162p1001999
ibm-437_P100-1995 437 cp437 cspc8codepage437 ibm437 ibm437p1001995 windows437
ibm-720_P100-1997 dos720 ibm720 ibm720p1001997 windows720 xibm720
ibm-737_P100-1997 737 cp737 ibm737 ibm737p1001997 windows737 xibm737
ibm-775_P100-1996 775 cp775 cspc775baltic ibm775 ibm775p1001996 windows775
ibm-850_P100-1995 850 cp850 cspc850multilingual ibm850 ibm850p1001995 windows850
ibm-851_P100-1995 851 cp851 cspc851 ibm851 ibm851p1001995
ibm-852_P100-1995 852 cp852 cspcp852 ibm852 ibm852p1001995 windows852
ibm-855_P100-1995 855 cp855 csibm855 cspcp855 ibm855 ibm855p1001995 windows855
ibm-856_P100-1995 856 cp856 ibm856 ibm856p1001995 xibm856
ibm-857_P100-1995 857 cp857 csibm857 ibm857 ibm857p1001995 windows857
ibm-858_P100-1997 ccsid858 cp858 ibm858 ibm858p1001997 pcmultilingual850euro windows858
ibm-860_P100-1995 860 cp860 csibm860 ibm860 ibm860p1001995
ibm-861_P100-1995 861 cp861 cpis csibm861 ibm861 ibm861p1001995 windows861
ibm-862_P100-1995 862 cp862 cspc862latinhebrew dos862 ibm862 ibm862p1001995 windows862
ibm-863_P100-1995 863 cp863 csibm863 ibm863 ibm863p1001995
ibm-864_X110-1999 cp864 csibm864 ibm864 ibm864x1101999
ibm-865_P100-1995 865 cp865 csibm865 ibm865 ibm865p1001995
ibm-866_P100-1995 866 cp866 csibm866 ibm866 ibm866p1001995 windows866
ibm-867_P100-1998 ibm867 ibm867p1001998 xibm867
ibm-868_P100-1995 868 cp868 cpar csibm868 ibm868 ibm868p1001995
ibm-869_P100-1995 869 cp869 cpgr csibm869 ibm869 ibm869p1001995 windows869
ibm-878_P100-1996 cp878 cskoi8r ibm878 ibm878p1001996 koi8 koi8r windows20866
ibm-901_P100-1999 ibm901 ibm901p1001999
ibm-902_P100-1999 ibm902 ibm902p1001999
ibm-922_P100-1999 922 cp922 ibm922 ibm922p1001999 xibm922
ibm-1168_P100-2002 ibm1168 ibm1168p1002002 koi8u windows21866
ibm-4909_P100-1999 ibm4909 ibm4909p1001999
ibm-5346_P100-1998 cp1250 ibm5346 ibm5346p1001998 windows1250
ibm-5347_P100-1998 ansi1251 cp1251 ibm5347 ibm5347p1001998 windows1251
ibm-5348_P100-1997 cp1252 ibm5348 ibm5348p1001997 windows1252
ibm-5349_P100-1998 cp1253 ibm5349 ibm5349p1001998 windows1253
ibm-5350_P100-1998 cp1254 ibm5350 ibm5350p1001998 windows1254
ibm-9447_P100-2002 cp1255 ibm9447 ibm9447p1002002 windows1255
ibm-9448_X100-2005 cp1256 ibm9448 ibm9448x1002005 windows1256 xwindows1256s
ibm-9449_P100-2002 cp1257 ibm9449 ibm9449p1002002 windows1257
ibm-5354_P100-1998 cp1258 ibm5354 ibm5354p1001998 windows1258
ibm-1250_P100-1995 ibm1250 ibm1250p1001995
ibm-1251_P100-1995 ibm1251 ibm1251p1001995
ibm-1252_P100-2000 ibm1252 ibm1252p1002000
ibm-1253_P100-1995 ibm1253 ibm1253p1001995
ibm-1254_P100-1995 ibm1254 ibm1254p1001995
ibm-1255_P100-1995 ibm1255 ibm1255p1001995
ibm-5351_P100-1998 ibm5351 ibm5351p1001998
ibm-1256_P110-1997 ibm1256 ibm1256p1101997
ibm-5352_P100-1998 ibm5352 ibm5352p1001998
ibm-1257_P100-1995 ibm1257 ibm1257p1001995
ibm-5353_P100-1998 ibm5353 ibm5353p1001998
ibm-1258_P100-1997 ibm1258 ibm1258p1001997
macos-0_2-10.2 csmacintosh mac macintosh macos02102 macroman windows10000 xmacroman
macos-6_2-10.4 macgr macos62104 windows10006 xmacgreek
macos-7_3-10.2 maccy maccyrillic macos73102 windows10007 xmaccyrillic xmacukraine
macos-29-10.2 macce maccentraleurope macos29102 windows10029 xmacce xmaccentraleurope
+ xmaccentraleurroman
macos-35-10.2 macos35102 mactr windows10081 xmacturkish
ibm-1051_P100-1995 cshproman8 hproman8 ibm1051 ibm1051p1001995 r8 roman8 xroman8
ibm-1276_P100-1995 adobestandardencoding csadobestandardencoding ibm1276 ibm1276p1001995
ibm-1006_P100-1995 1006 cp1006 ibm1006 ibm1006p1001995 xibm1006
ibm-1098_P100-1995 1098 cp1098 ibm1098 ibm1098p1001995 xibm1098
ibm-1124_P100-1996 1124 cp1124 ibm1124 ibm1124p1001996 xibm1124
ibm-1125_P100-1997 cp1125 ibm1125 ibm1125p1001997
ibm-1129_P100-1997 ibm1129 ibm1129p1001997
ibm-1131_P100-1997 cp1131 ibm1131 ibm1131p1001997
ibm-1133_P100-1997 ibm1133 ibm1133p1001997
gsm-03.38-2009 gsm338 gsm3382009
ISO_2022,locale=ja,version=0 csiso2022jp iso2022jp iso2022localejaversion0 xwindows50220
+ xwindowsiso2022jp
ISO_2022,locale=ja,version=1 csjisencoding ibm5054 iso2022jp1 iso2022localejaversion1 jis jisencoding
+ xwindows50221
ISO_2022,locale=ja,version=2 csiso2022jp2 iso2022jp2 iso2022localejaversion2
ISO_2022,locale=ja,version=3 iso2022localejaversion3 jis7
ISO_2022,locale=ja,version=4 iso2022localejaversion4 jis8
ISO_2022,locale=ko,version=0 csiso2022kr iso2022kr iso2022localekoversion0
ISO_2022,locale=ko,version=1 ibm25546 iso2022localekoversion1
ISO_2022,locale=zh,version=0 csiso2022cn iso2022cn iso2022localezhversion0 xiso2022cngb
ISO_2022,locale=zh,version=1 iso2022cnext iso2022localezhversion1
ISO_2022,locale=zh,version=2 iso2022cncns iso2022localezhversion2 xiso2022cncns
HZ hz hzgb2312
x11-compound-text compoundtext x11compoundtext xcompoundtext
ISCII,version=0 ibm4902 iscii isciidev isciiversion0 windows57002 xiscii91 xisciide
ISCII,version=1 isciibng isciiversion1 windows57003 windows57006 xisciias xisciibe
ISCII,version=2 isciigur isciiversion2 windows57011 xisciipa
ISCII,version=3 isciiguj isciiversion3 windows57010 xisciigu
ISCII,version=4 isciiori isciiversion4 windows57007 xisciior
ISCII,version=5 isciitml isciiversion5 windows57004 xisciita
ISCII,version=6 isciitlg isciiversion6 windows57005 xisciite
ISCII,version=7 isciiknd isciiversion7 windows57008 xisciika
ISCII,version=8 isciimlm isciiversion8 windows57009 xisciima
LMBCS-1 ibm65025 lmbcs lmbcs1
ibm-37_P100-1995 37 cp37 cpibm37 csibm37 ebcdiccpca ebcdiccpnl ebcdiccpus ebcdiccpwt ibm37 ibm37p1001995
ibm-273_P100-1995 273 cp273 csibm273 ebcdicde ibm273 ibm273p1001995
ibm-277_P100-1995 277 cp277 csibm277 ebcdiccpdk ebcdiccpno ebcdicdk ibm277 ibm277p1001995
ibm-278_P100-1995 278 cp278 csibm278 ebcdiccpfi ebcdiccpse ebcdicsv ibm278 ibm278p1001995
ibm-280_P100-1995 280 cp280 csibm280 ebcdiccpit ibm280 ibm280p1001995
ibm-284_P100-1995 284 cp284 cpibm284 csibm284 ebcdiccpes ibm284 ibm284p1001995
ibm-285_P100-1995 285 cp285 cpibm285 csibm285 ebcdiccpgb ebcdicgb ibm285 ibm285p1001995
ibm-290_P100-1995 cp290 csibm290 ebcdicjpkana ibm290 ibm290p1001995
ibm-297_P100-1995 297 cp297 cpibm297 csibm297 ebcdiccpfr ibm297 ibm297p1001995
ibm-420_X120-1999 420 cp420 csibm420 ebcdiccpar1 ibm420 ibm420x1201999
ibm-424_P100-1995 424 cp424 csibm424 ebcdiccphe ibm424 ibm424p1001995
ibm-500_P100-1995 500 cp500 csibm500 ebcdiccpbe ebcdiccpch ibm500 ibm500p1001995
ibm-803_P100-1999 cp803 ibm803 ibm803p1001999
ibm-838_P100-1995 838 cp838 csibmthai ibm838 ibm838p1001995 ibm9030 ibmthai
ibm-870_P100-1995 cp870 csibm870 ebcdiccproece ebcdiccpyu ibm870 ibm870p1001995
ibm-871_P100-1995 871 cp871 csibm871 ebcdiccpis ebcdicis ibm871 ibm871p1001995
ibm-875_P100-1995 875 cp875 ibm875 ibm875p1001995 xibm875
ibm-918_P100-1995 cp918 csibm918 ebcdiccpar2 ibm918 ibm918p1001995
ibm-930_P120-1999 930 cp930 ibm5026 ibm930 ibm930p1201999 xibm930 xibm930a
ibm-933_P110-1995 933 cp933 ibm933 ibm933p1101995 xibm933
ibm-935_P110-1999 935 cp935 ibm935 ibm935p1101999 xibm935
ibm-937_P110-1999 937 cp937 ibm937 ibm937p1101999 xibm937
ibm-939_P120-1999 939 cp939 ibm5035 ibm931 ibm939 ibm939p1201999 xibm939 xibm939a
ibm-1025_P100-1995 1025 cp1025 ibm1025 ibm1025p1001995 xibm1025
ibm-1026_P100-1995 1026 cp1026 csibm1026 ibm1026 ibm1026p1001995
ibm-1047_P100-1995 1047 cp1047 ibm1047 ibm1047p1001995
ibm-1097_P100-1995 1097 cp1097 ibm1097 ibm1097p1001995 xibm1097
ibm-1112_P100-1995 1112 cp1112 ibm1112 ibm1112p1001995 xibm1112
ibm-1122_P100-1999 1122 cp1122 ibm1122 ibm1122p1001999 xibm1122
ibm-1123_P100-1995 1123 cp1123 ibm1123 ibm1123p1001995 xibm1123
ibm-1130_P100-1997 ibm1130 ibm1130p1001997
ibm-1132_P100-1998 ibm1132 ibm1132p1001998
ibm-1137_P100-1999 ibm1137 ibm1137p1001999
ibm-4517_P100-2005 ibm4517 ibm4517p1002005
ibm-1140_P100-1997 ccsid1140 cp1140 ebcdicus37euro ibm1140 ibm1140p1001997
ibm-1141_P100-1997 ccsid1141 cp1141 ebcdicde273euro ibm1141 ibm1141p1001997
ibm-1142_P100-1997 ccsid1142 cp1142 ebcdicdk277euro ebcdicno277euro ibm1142 ibm1142p1001997
ibm-1143_P100-1997 ccsid1143 cp1143 ebcdicfi278euro ebcdicse278euro ibm1143 ibm1143p1001997
ibm-1144_P100-1997 ccsid1144 cp1144 ebcdicit280euro ibm1144 ibm1144p1001997
ibm-1145_P100-1997 ccsid1145 cp1145 ebcdices284euro ibm1145 ibm1145p1001997
ibm-1146_P100-1997 ccsid1146 cp1146 ebcdicgb285euro ibm1146 ibm1146p1001997
ibm-1147_P100-1997 ccsid1147 cp1147 ebcdicfr297euro ibm1147 ibm1147p1001997
ibm-1148_P100-1997 ccsid1148 cp1148 ebcdicinternational500euro ibm1148 ibm1148p1001997
ibm-1149_P100-1997 ccsid1149 cp1149 ebcdicis871euro ibm1149 ibm1149p1001997
ibm-1153_P100-1999 ibm1153 ibm1153p1001999 xibm1153
ibm-1154_P100-1999 ibm1154 ibm1154p1001999
ibm-1155_P100-1999 ibm1155 ibm1155p1001999
ibm-1156_P100-1999 ibm1156 ibm1156p1001999
ibm-1157_P100-1999 ibm1157 ibm1157p1001999
ibm-1158_P100-1999 ibm1158 ibm1158p1001999
ibm-1160_P100-1999 ibm1160 ibm1160p1001999
ibm-1164_P100-1999 ibm1164 ibm1164p1001999
ibm-1364_P110-2007 ibm1364 ibm1364p1102007 xibm1364
ibm-1371_P100-1999 ibm1371 ibm1371p1001999 xibm1371
ibm-1388_P103-2001 ibm1388 ibm1388p1032001 ibm9580 xibm1388
ibm-1390_P110-2003 ibm1390 ibm1390p1102003 xibm1390
ibm-1399_P110-2003 ibm1399 ibm1399p1102003 xibm1399
ibm-5123_P100-1999 ibm5123 ibm5123p1001999
ibm-8482_P100-1999 ibm8482 ibm8482p1001999
ibm-16684_P110-2003 ibm16684 ibm16684p1102003 ibm20780
ibm-4899_P100-1998 ibm4899 ibm4899p1001998
ibm-4971_P100-1999 ibm4971 ibm4971p1001999
ibm-9067_X100-2005 ibm9067 ibm9067x1002005
ibm-12712_P100-1998 ebcdiche ibm12712 ibm12712p1001998
ibm-16804_X110-1999 ebcdicar ibm16804 ibm16804x1101999
ibm-37_P100-1995,swaplfnl ibm37p1001995swaplfnl ibm37s390
ibm-1047_P100-1995,swaplfnl ibm1047lf ibm1047p1001995swaplfnl ibm1047s390
ibm-1140_P100-1997,swaplfnl ibm1140p1001997swaplfnl ibm1140s390
ibm-1141_P100-1997,swaplfnl ibm1141lf ibm1141p1001997swaplfnl ibm1141s390
ibm-1142_P100-1997,swaplfnl ibm1142p1001997swaplfnl ibm1142s390
ibm-1143_P100-1997,swaplfnl ibm1143p1001997swaplfnl ibm1143s390
ibm-1144_P100-1997,swaplfnl ibm1144p1001997swaplfnl ibm1144s390
ibm-1145_P100-1997,swaplfnl ibm1145p1001997swaplfnl ibm1145s390
ibm-1146_P100-1997,swaplfnl ibm1146p1001997swaplfnl ibm1146s390
ibm-1147_P100-1997,swaplfnl ibm1147p1001997swaplfnl ibm1147s390
ibm-1148_P100-1997,swaplfnl ibm1148p1001997swaplfnl ibm1148s390
ibm-1149_P100-1997,swaplfnl ibm1149p1001997swaplfnl ibm1149s390
ibm-1153_P100-1999,swaplfnl ibm1153p1001999swaplfnl ibm1153s390
ibm-12712_P100-1998,swaplfnl ibm12712p1001998swaplfnl ibm12712s390
ibm-16804_X110-1999,swaplfnl ibm16804s390 ibm16804x1101999swaplfnl
ebcdic-xml-us ebcdicxmlus
"""

# Single-byte charsets that are one of Python's.
PYTHON_SINGLE: Final = {
    "ISO-8859-1": "latin-1",
    "US-ASCII": "ascii",
    "ibm-1089_P100-1995": "iso8859_6",
    "ibm-1140_P100-1997": "cp1140",
    "ibm-1168_P100-2002": "koi8_u",
    "ibm-37_P100-1995": "cp037",
    "ibm-500_P100-1995": "cp500",
    "ibm-5012_P100-1999": "iso8859_8",
    "ibm-878_P100-1996": "koi8_r",
    "ibm-9005_X110-2007": "iso8859_7",
    "ibm-912_P100-1995": "iso8859_2",
    "ibm-913_P100-2000": "iso8859_3",
    "ibm-914_P100-1995": "iso8859_4",
    "ibm-915_P100-1995": "iso8859_5",
    "ibm-920_P100-1995": "iso8859_9",
    "ibm-921_P100-1995": "iso8859_13",
    "ibm-923_P100-1998": "iso8859_15",
    "ibm-9448_X100-2005": "cp1256",
    "iso-8859_10-1998": "iso8859_10",
    "iso-8859_11-2001": "iso8859_11",
    "iso-8859_14-1998": "iso8859_14",
    "macos-0_2-10.2": "mac_roman",
    "macos-29-10.2": "mac_latin2",
    "macos-35-10.2": "mac_turkish",
    "macos-6_2-10.4": "mac_greek",
    "macos-7_3-10.2": "mac_cyrillic",
}

# The other single-byte charsets in the order of their tables: 256 UTF-16-BE units each.
SINGLE: Final = """\
ISO_2022,locale=ja,version=0 ISO_2022,locale=ja,version=1 ISO_2022,locale=ja,version=2
ISO_2022,locale=ja,version=4 ebcdic-xml-us ibm-1006_P100-1995 ibm-1025_P100-1995 ibm-1026_P100-1995
ibm-1047_P100-1995 ibm-1047_P100-1995,swaplfnl ibm-1051_P100-1995 ibm-1097_P100-1995 ibm-1098_P100-1995
ibm-1112_P100-1995 ibm-1122_P100-1999 ibm-1123_P100-1995 ibm-1124_P100-1996 ibm-1125_P100-1997
ibm-1129_P100-1997 ibm-1130_P100-1997 ibm-1131_P100-1997 ibm-1132_P100-1998 ibm-1133_P100-1997
ibm-1137_P100-1999 ibm-1140_P100-1997,swaplfnl ibm-1141_P100-1997 ibm-1141_P100-1997,swaplfnl
ibm-1142_P100-1997 ibm-1142_P100-1997,swaplfnl ibm-1143_P100-1997 ibm-1143_P100-1997,swaplfnl
ibm-1144_P100-1997 ibm-1144_P100-1997,swaplfnl ibm-1145_P100-1997 ibm-1145_P100-1997,swaplfnl
ibm-1146_P100-1997 ibm-1146_P100-1997,swaplfnl ibm-1147_P100-1997 ibm-1147_P100-1997,swaplfnl
ibm-1148_P100-1997 ibm-1148_P100-1997,swaplfnl ibm-1149_P100-1997 ibm-1149_P100-1997,swaplfnl
ibm-1153_P100-1999 ibm-1153_P100-1999,swaplfnl ibm-1154_P100-1999 ibm-1155_P100-1999 ibm-1156_P100-1999
ibm-1157_P100-1999 ibm-1158_P100-1999 ibm-1160_P100-1999 ibm-1162_P100-1999 ibm-1164_P100-1999
ibm-1250_P100-1995 ibm-1251_P100-1995 ibm-1252_P100-2000 ibm-1253_P100-1995 ibm-1254_P100-1995
ibm-1255_P100-1995 ibm-1256_P110-1997 ibm-1257_P100-1995 ibm-1258_P100-1997 ibm-12712_P100-1998
ibm-12712_P100-1998,swaplfnl ibm-1276_P100-1995 ibm-16804_X110-1999 ibm-16804_X110-1999,swaplfnl
ibm-273_P100-1995 ibm-277_P100-1995 ibm-278_P100-1995 ibm-280_P100-1995 ibm-284_P100-1995
ibm-285_P100-1995 ibm-290_P100-1995 ibm-297_P100-1995 ibm-37_P100-1995,swaplfnl ibm-420_X120-1999
ibm-424_P100-1995 ibm-437_P100-1995 ibm-4517_P100-2005 ibm-4899_P100-1998 ibm-4909_P100-1999
ibm-4971_P100-1999 ibm-5123_P100-1999 ibm-5346_P100-1998 ibm-5347_P100-1998 ibm-5348_P100-1997
ibm-5349_P100-1998 ibm-5350_P100-1998 ibm-5351_P100-1998 ibm-5352_P100-1998 ibm-5353_P100-1998
ibm-5354_P100-1998 ibm-720_P100-1997 ibm-737_P100-1997 ibm-775_P100-1996 ibm-803_P100-1999
ibm-813_P100-1995 ibm-838_P100-1995 ibm-8482_P100-1999 ibm-850_P100-1995 ibm-851_P100-1995
ibm-852_P100-1995 ibm-855_P100-1995 ibm-856_P100-1995 ibm-857_P100-1995 ibm-858_P100-1997
ibm-860_P100-1995 ibm-861_P100-1995 ibm-862_P100-1995 ibm-863_P100-1995 ibm-864_X110-1999
ibm-865_P100-1995 ibm-866_P100-1995 ibm-867_P100-1998 ibm-868_P100-1995 ibm-869_P100-1995
ibm-870_P100-1995 ibm-871_P100-1995 ibm-874_P100-1995 ibm-875_P100-1995 ibm-901_P100-1999
ibm-902_P100-1999 ibm-9067_X100-2005 ibm-916_P100-1995 ibm-918_P100-1995 ibm-922_P100-1999
ibm-9447_P100-2002 ibm-9449_P100-2002 windows-874-2000 x11-compound-text
"""
SINGLE_TABLES: Final = (
    "c-rk<3!F_=`+nEi>n!aW3(0NVwi!p|u8T6EaaXB~JL58L-Sl<+E`^bbl0>LfD#|df4IxUB+(Pw{3Nazc=d1po5L3sj^?%ns=ggda"
    "&OYa4+zzvU^BdLdL9?IddEe)K*IMra00J)1fPxzslz>Y>hfCoyNPv<uU*<z;C<B*6S-1kqL3yYE6`>L&;@7J{Rj3Bl!GIc&1j$en"
    "JWva+gsb3cs10?XF4Tki&;S}jBe({xh3nvYXbd;NjnD*A;3jAa&7e8l45`opT0$#m4Q-$;w1f6=3)~8~K?k@U?tnX?Bcwqm=nP$;"
    "D|CbI&;xoxFGz>p&<FZLKgfXoFaQR^AQ%jH!QF5V+za=?5V#-y1`oi4@DMx<kHDkwclZbV6aEE{!Q(I#hQV;igc0zB`WcJ!2RQgU"
    "_&fMJ_&fL)^`pNWAP34pa<IHh-YxHu_saX^5P84+n|we%C?Ap!%SYs+^6&B=@}Kfw@-g|i94d#&;WAT>kWa{w@=5uWd|Hl@qvbR5"
    "Svf{NC&$X?<v96*94{xx7v)4bNlun8$(Q9Ta*BLaz9wInQ{@}-P5G9bcE<33195)_o`5Ov0*v?J4;)Gr;QuDF;u3h)#D5Y@D8PRt"
    "JPA+1(=ZC3SAfbe2A+el@H~w3^XWyHh`gB$FTu<33bO1~cnw~MsV1M^f<)xcboc>&guSp2_QL@<2*1HQ$egCgq&kRFEjR@Kg`eR+"
    "@GJZu{11MCJ;=D4$g!)DMe~tm4d7E)3!lJhSOe=|18jv^$UYBpL-8vQHo_*@44=Ul@Fn~kK1ar+AYW6FtId$PJ8bwf4_3fo$Oi$7"
    "V4)40=E8^Y6D)`I#(Y?cEDB}U+pr3@KrVa_?;=NMz)V;Mb08buhmT+-e2nbv1354omcVvoVmSX7z%e)uN8l*@jw}sV!w2Anlkf-p"
    "2@-X1B1|3c!PoFDd<EO!8(aM?hF!25cEWcsEt>u<_*?XkIA0|C5904=<o~ll{8c)bVDfiT0e`0y@b?W=#9R3OrnAHBH+F;_Wyjd>"
    ">^M8Y^4K3NfmMbDth#toydcKsdBp@V(c8`2LrfMgiz(i_y!VLL#8mO7nC2bo9WLG$GsH}hE#`Q~h<Rdxcbv%ajunf<VzE>#6Ca2b"
    "Vx?Fm)`$&aqu3-ii_gUu;!E*wu|;eZ+r&3wyLY_U<(=exN#u$>Vz1aI_IuwF2gE@!TKwvr<(=)F<DDx;is!^w@x1q>H{UC~3%&1("
    ";Ue=C^gsG+>7RC@ooO2FLc7v#v^(vA=mzv(18UKpv=>dMy=h<CkJheHp1KhEfd2a`{Zow+N~xPNT7q6eb;Pzn|MXIN8BKr%l+#l5"
    "4%(15vg)6<4d)NNj$Th&(`#uPdLwNT&L)~dZ=y|UGuoWqOz#ZWKTV}AXiM6PHm29m4)iv918q-lr?=2{^j2D*mZoKBEqVnlM{Clu"
    "cKW9tT9H<wiL^4UVyAyvl~$wGX#;A|8mNQpP<7BGnoP^n%V}L&$4-B=0=<gXqgT@_gY<tM@wdePVHp261mhnb|4B8{Fc^PJ{7;9i"
    "q+hi7PZ}Zq-;%y2{<|Z_|4ih`Ec^Ixd>DxTkcIL8xNZDb98Jae|Bg-kpN|X;#Q%d4;{OO={3q2T#Q)y@_<u4&{7;S%|C2)Ef4ty-"
    "YWctK`OW_({*m&3x|#py+u)yz*ykWa;wk^1zW*ET;C}(*@A$tW`9G|nK0*F{W^zpNYYAky*28R<dcV71hS40+&Ubx>ygZ1^{LSP>"
    "mdS~1G6|Xf1G4)V;<*obeiRYii%dU)*#3x|KaMD`L)Py=rX4{3=OOFXq5{4}^fsav_8`uR_4|=+hmqf(BjR5n=D(8+(jUGfk0C$4"
    "M;0&BK0@w&jEE@yDfZ6uOh=9{I;HyWti^wH%eSFZek$)zpIgTF6QqCitxt<ld4HgnectDzL+d~E)#$1V9W{FI0{sWOYvrv)j#dBO"
    "vG)2ebl>4@^84}C=*ZWJ4dMEa<<eFCXFBzLk@PS2o9_KramY^p;%D)TH_PYap*O1@st%S~Sd-Z4udq%jqW-HO&QDwv`cG6n5LK<Q"
    ">Q)Yhvo4fn-r=x4lv~!SP4UPx(KE?2+2ium3~<IX(39rr?&$+rVx6b7=L*ktp1PhY9`H0(^_{1er;F!a&t0AjPe;%FGC!P2o{F9X"
    "&lt}r#VF56OXat(kT(I2zyigRU`7<8k1=3+Jm?=|)sMtY8jvAyfRrU8Li0bVL@JPy<WZxVQH3Oj_kTzRtR<AxC-=cRayiKi&Htn#"
    "DNho}BcwLDi6s5C{7(oOPFmaNf6|R~ho8s|k@CM$l?)|7hLKjj{tu}W-v1$wlg6ZJB>j`y;W%j<IscOqaFVnn=|&~{{7*Vyh0`W-"
    "{wEA}lNO{`-1z@te*c$g`oC;T{g)Bu|FSSETK!+L-~ZJ#{oip5{=Gx|-yy_*E#}bZ`1gl=WMVA;*9Y-GY3Kitlex&m;QBA!w*LDu"
    "g8!T4_kRZ>_`eZ;|F<!M|4TjN{{L+De<q$*|K~-g|8v^?AIJX}vHy$Qb0GtR_-EmqLi=)B*2KF!zWD-V{U{=aCSElW^;+~wMCNK*"
    "o7O?>>LFJeD8?d-t~EK?7@35OwD2#$wbsbiw#cyd$g^9Ka~+UzchEagFKMQ}3e*+Q6J#qz6?gx4w(%+Sf1duH0iJH2t^xn&>Fr6k"
    "`ae%!Pd}^w^W5#Z$1}(?*wfR~!_&#r*)zm*U%>x)#(7@!jEsdpvNH|YIT88U1^L+x8QL8)#-bYKA<N?b9Q_wj|CsGnj?cm@KMQO6"
    "&Y0=vqJx-^S^Qnh@(a;JyoZkKF?0&=!!n|>_lH<}`<%ck)3<y|T<A#Fp`X}*KE>=;Y2foKq%>^Rbj;*mlj-PLwxeHBc^mUL$<Z|Q"
    "LdrM&Ks59b2hfuoM4x2#%QWKiOQa0^rX{13I7Z$^UvvWfkn#;)^p6XTdFUVFsQ-&Ug|GjY9=ZQ-{>**s`+xWrWA^{>XZ~yczl^3M"
    "22uPUA{nLsM@nnSh(VP8Kk1B|h|>Qf3*jhYR^<L4$$@RinX}RVbK?Jn75`Q2$GDGvq_4^W$i^&{6Ot;$NBz&A<WKQY{8>JR&*ftg"
    "TTA^f^Z5(>CH^vhg-_wH@z)Xekouob<!|se`CEJ%f1AI9tO(M-u>gPn3_g=*^Lcy$e^=&P^^gA@#vj!a;yHXFe~&N5=V5H(OZZa$"
    "K3~R{^AGTOnEv@kd=X#4SDJs$7QU5##kcXV`8WJqzMb#jJMpWZ@YVcNzJ{;0(?34{jBn(d_-6jOo&Nb3d_8{8Zk~&OdvE*<QHN!J"
    "kB$C<o;v>jwEO>7_FB1WWu}#f!7K}AR4{vjnNrA!Li}M!to>c~{6pm5LG8?n5B=*zcj=n$)|p;HzeLydOM~^VU#2JMC3UWs(o5@Q"
    "^vm_Kq3eJ86?!?nyk0@Cs8`Yx^~!pcLjCJi^=f)`-Oy|3NqVwgQ}<Z)uh$CakA9_om0nw~qu15z>Gi|eq&LtT>euMk>euUyjf8Oh"
    ">o@2(>P;YBZ>l%bo9j30sd@{&rQS+!t+&zJ>h1LQ`Yrmc&_};b?_j5Y{dT>ho~Cy)akA0Bo}u^G2j~O!LHc0mZIldEhkloSw|<X)"
    "uYR9C#7=+u{rcbZ2lNN^hc5W_UuXZ{xm*7~7yVx!{%fP|{~3Y*@1g!b-Gcw|zkq-C8N+{1RQwD5e`=BXzb7N$pXtZ{+X(pgj)8xl"
    "xZ3~W;2;0^pNsupzV)Bv===Zht*?u)|HrrflNW^lEL;57Bkn%@Q;UfIFvLGS^7@Yr{`UL-eu@$QW3B&OT>HNq{Noq@xLN<T!T*e}"
    "|Nh1Of2V@~g}(lKF7m&Fe=%JDH{<^>zyIrv_%F2J-^av1(~tiM^jn8w?EgIy)&Kp0_|N#u{x3bI|NA8d{>f4O-`<Gvf0l{=e<Id@"
    "87BS*FOvN4;2-b!pR4m9vx3(D?E61`qV|81kwLNQzpZDm|1<lP{a;_?bq+GwIsf6{@AUt|`@c0~_J3!@QU5n52L9<b`1e8dXFK|L"
    "@OSj@$3Hcq{~KoUe+vKX82;~%sQ526{omd*<o_~a#{Yo->l5PteDVKK4E!VezgZWR|99|@cl^&?{!fqI|BbZ&FD}=AWA%TX{O{oJ"
    "<bNyv-^ajzeF6U876JdmCjMJu;Gco`4~v3-CgR`6#NU4YM=Ii<9s~d0h`)$F{{wjz9seZ}@b7y8>)*jY9`Qe``X>X`{(n*u4w4d~"
    "@t;(JpUHy?f6|<!*vEfYuG;@k5?}*i!RP;68`Sw<*i0T!_>*R&i8cPaZ15-Pq&+DE`J^Z5XM6s)C239i!*bUyV?J?*$A8j`v?HY<"
    "m-HZgT{{US!^r?L46?}xGL&SJ$4Lv)ie$u!|D-D%C24l?pCpop;UpOhf0D{}@t>43_y2c+ZKR_e{)Cf<U^f{QPx^Q8k9+)``EPM~"
    "{ugtQGym;8&3}uM|DE}7#bEx2ef{Um|G4n?|2XqMocSM4{y#_OKM8knjZ^OCjF$*K|H<3)OSsN2<(KgUUXpX0^Pi=7X<mk3&dc&E"
    "csc9&PkuAMgO}$Octu``C-Ta?iWPr;XE^@6DzC<?bA#95NxYZM`OjotlY4kAekH$(r`w$WyqeeMb$DG~kJslNc^dD;JM%8QEAPg;"
    "^B%k>Z@?S!M*JFnEx*nVe|`(Uo;T(<@Eds(+w-3(Je9ZLEqN>68hZ0vL-FTrcw62M-`g$t%m#mc8}Gnx=eHqqiv9Udd<TC18nx`t"
    "e;O5yN=6l<s*z-rHLeJs|6paWm8(`}T6t(;Sumr5*%QQ+LQe3Mg43Nh7cwCjbw9#)@H=h!*NdkYVgA1}{~>JtL*)MdMLqxFB0K+W"
    "B*N2JThuZPqXvvI8j=j73F$=!sa{RE{%a(W{zeK(CxcZ#2d29=xOR{hkVUAP|AMY=4%U|b`7dOcn*ZY3MOvcQGv~j+a;$XvA-|fr"
    "a!GTnF}eiizmO*A$~TY%f4?fx>{oG8nzSPA%=s@J)%+LIgFFD=ss0W6%K=ymcMZ&cAt_iD93&<E{j$ntzpNA~Lt2ye=KPm5HUEY5"
    "BoD%$s(*z3cA#r#amSy!sAeS6&cXOo-DrZoF#(-pDcUI<f7;VXK~LHnU1>jbuWG8sC2FFE!k-eDLumkiT0-G(&Rv@5!=I+1gY5z<"
    "Xb<$OUD55H=lNic{+0g8qyYY|^?v<#vd{mn-G2RdR{0+zc*y)GrGLBmPlfuooBxEBYsma3tW$mU>K4prs*?K}YdOpOCv$z-KmQ3U"
    "=aBhNSSS1H<-?dyRV8^0Ye~!eCv$yUI`~`hSNeysMw7_?uSOEQZlo0YKW()3OeFk`asm9cQ9k^&G1_z5SXiNrgO%ENZG!fqHc^|T"
    "P1au0Ue;dGrf9EfuW7GqQ?)m=H?_C4Y1(w{ZJDpl(6Y3d+AJ+wo2|{!=4$h_`Pu^QT`fmjs4ddo(-vz>w58hn+A?jq_JQ`HwnF<z"
    "Td94lt<pZxR%@SXYqYi6I&HnSLHkVGsBO|VYoBXhXkSLZ|I5+;`PV<G7D@l4A^MD%`X|*R>7O)0AL8iW2LEXKSNL1?Z_d)0VazSW"
    "AHNb2e|)B9M)~oV`R;}8Meg_9i``4yOWp6gm${d_@wt12`y=;C_s8y4?oZsS-JiPGxDUI3a~}zx@8jO$-s=9!z0Li#`y2PS?(Oa!"
    "?w#)M+`HVn-MQ}X-Fw`7-TT}>xc9q%bRTg4<UZ*BkNc4Ozv_1y+$iPfA4akfcKDM{>>2hdOkg?o@t<@y5{#1O{a*>8`j3Xc(m$&l"
    "z@Jr@`K$&@V#%x~^RQa%N_G{yn$>1?SY1|+)n^S@L)M60!>(o5vFll5*v@WXH?k%yg{86<tR-s&ds%Dvfwf_6Sv%IgQ2*=}cB|4q"
    "yNz{Vx3fFo7`u~ogcB?c{$QPy{vG@y)qkg!|9$$0Ec~a!e+Slo-3stuAHW}<`tZ+#4@mcd`2Ul+ZUtERVf-f*$>nDK_c$p}l1O87"
    "y($CizcyIOckso3@`zfuA@^bYA4W2<{!{B_1S>y`|D+NrYu0~5Nd=NjZXk6?Q_>&nzqW9c-0qA2<WaS5M22AeA5KO%_(zKW(el4f"
    "|7SA)7w7q};Tg=@{}0b+q5c2R{1)8*!whL=JEc=I>s5$7|55e-{M}L8{-62h%!lQe^KIw92F+LW&;K%#Lf3zd=F#^51pNuN{Xe6g"
    "QQxR*KDX`vMW6o&i;dbw9TorMVgHwde_Y^yM&iFw>0HNuqvCnL|I3X3Mr)W!CLzXIaHUZN<{3?l6fg0*kSS$NU!k1;`<O!#G1F9q"
    "6_{-r;#XFg^Jtg2*1L8?j%$Z&C(M@Wwy@>+Yp!dTYlCq`%p087<LBJKe~}ij19R7hLC=5kKWSwC+7j|GckPL%^&gfdGFhr|nR3G7"
    "DVA*2zZk`8nzuBeI~L>FRbpbO{*_}EQ&=4_mDLr~SiNBViy5rG$S(BJVln#lApNuJ!ucbXvFpVO)>y1kZabV!tcmYdCYGXZWkUUh"
    "-v70QwGi7_OR=4`61!My@w+%KPKZ49QwXm(DfX~7Vn1su4x(qTY<vIL&-k6c;LqHi+3f#fw}`{+R&hieWf`#DC=qu5SARADfA2sx"
    "hz+*WpD~}^#qMVJuzTZU|F47p1%baa|I_~dPiOw)IiCM$bN`n!|F0O$|2r4=zd7^YocV9D&;Oh8-<khaZ0CQO_&f8TitYR-6Mtv^"
    "&uQT=`^y1xpd2Iz%e&;=@*a6Fq8ohw&wX-;ykGuJJ|G{&3hE)5kND5D;2(k@en%nx>0$jKEB<}t!}1aNsQkP9hy17fmwZe<E{DRy"
    "a+n-0Gvx^Rgd8cKluya0<tRB?J|mx%W8`yY4{)q}UXFtiMsxXs94{xx7v)4bNlun8$(P|#`HGw(UzM*R*6$!j*8bq@a;khozA4|5"
    ")9mm6iQfOSJg<3%?*DP-KNT(iJM*84@%=B6@Bee|e{uSM=cfM`9{*$Y|L|EH_5Uu+^*?;J96!&~`d`rVBCY?O=KX&c(fyy8FHT~H"
    "@ns;DeSEp*f0%22G52I_#7Mv1ACJ8lb5+N6x38)*vdJXOTEAkP{u8s-Rx>ZGN-mA8T!~1(t$1{{@Bh>m!5(e0_K7w_TcdrXt<`2}"
    "uWEC&B}vt^_1e;;tCRY}qNKq|gOZKp8gL@1JuFPB1j~{VjVIte%l*&iG5(9;zW6UjiYLWW;%Te@6QjgvGjcvJUJ&EO1dRV7{!dI6"
    "FN-PSH8EAZDW-|H5sjeuFJ_8tF-Oc33q+1sBo-rbDX7|gKK+ZOcJW_)AXbQ#VwG4UHiWZDZ1lx{@r4=xXNSjsu~lpn--zvEr`RQO"
    "!{fi$C-#d2;-ENW@BaevU;Jw4|HS{qVey-a|ES=D;p;zef+gUS?W{Uxm$>);HY?ge^}l<I&GQ<lzo7VU^BqC)-{z?${)g|M4cTEE"
    "wwu<s{{uh$tL}EYYybL3^!g8<+th!B`#;R@IOY29Z0-Ljj`zQ-{edt;@ga2oFTUq;h5P^1IT7vIxIO=I-t-^-^IOmVhQ1ALM(Fw9"
    "(03C&{{d#>TgP_})3veMIQ7P@{!ben&Y$2nYUlrg-!gi*F#i|y=GVXsKT?|zEA`GdYhNNB1!&m&Kg8%oZ6PwNoUQ*`1S^pf&m!+;"
    "+1>w)e9JbquUKeb|IIP^x*|^Ee@F)~<o@q_Egisz<inx<KdgTj9RG)gcJlth{old8KAZc$<#WE?pX&Rej}Q0%W-k!ZRX5P*|5Z;g"
    "&=CxD|Dewq>Hpcx|8VaAKDGG|&iQZW{C5C<W4?3#yZGtf{`@D&jDG$T_3xbjzR2)*&VM`lcg}woZ~UF}-^B@k=lr*$f9L$S6aS0("
    "`R`)7{%dx@4#5xj>t3~*R=EBf$gnI8<K;2PVySBVHxR91M(lWfF4lip<ARLP0+y<bz*+~gfyx0%{R0_5#s4Vlzr_^)*wt4^?G?M)"
    "S`*ygKkMuN8*SDXp7B+g{`C%X{oh;{IpN?Ria%!FlbA6H{78~9gO<STSXRyV$K3gN;r<VE9)A+NgPAwo-2ah>5q}3p<1EbGwK2O6"
    "!)!X#sEQe24n}=*{|9Md)jwwX1a%WZ0DsK;8CLu;x8G;QpJZZwFKOO?&;T>}qhtsfVZ|Ra!yeLsw8HHE4J^f6-x%}$O_=xFqL*l6"
    "RKhH@$f$yu=6%dfCyZ)7{4obDj+gx(7v}oE<vY&#`hUoGIO{*>ef{5jo6h>bGynern*Yx`IOl&Z{PREOVg29P|LgaEcKd$={x5X@"
    "ui5AS1m*<%AM#?R)&IeMSY!2nkOhZfi|_mjY2@n&1pFUHxzBz6559)4eEtsvd~bFKc0xYnLJll3{a=NE|AXb2k7nEYKL`K4+B3oU"
    "Yhz%o%GH>C$0_`^@d|&erx1T_KFsjv-%XgoRW7w;am?*%ADadLKvoanud=%pf0gU4_}kT<0sK|Q$NDd773#y^m-!)E`^<+wI)KgS"
    "8@_b#55}K7XzrhB2|tsLBn|#g)qhwWZX``eig_PLGtxXz|B*ptFxGe5Ny&izvAT0(wKf7Pyh<{k48>ZnU%38BBI#RD|6$D-QvbP#"
    "7OH<zhLk28Hj`4Mow*~ZasYoafIJY;KWU|Q`H&2(5xc;5q$_zy>7NW#`1|IFxpoxl-?fuGOnQ)>4*rlxJ5d+yOf{ND3GG5D?MmIW"
    "8)dXREkS$GOK4B3(_ZvanocjHy=emNOF8Xl-X&I_-b!oJhO{(oM9a{&v=+UNUO}&?<!EbKlU_^9TJfiCsE6K2D+chVO=u-6{xpRq"
    "hT>0eqLpb=T7@>FRcUitjouu<pH`=LdPdR)G?f~(1+76_(j?l7Cey~WJiUfqPCL-LHOj*RdK;}nZ=e-udwLbUoz|nb(5q=XdL?8#"
    "_(Nh**H2Z&r_SEl)bsxQZ&rap`1_wm$^YtkDE{GpeqsK{e;;Z2o0nR@(`as=|BWOk|Ht-!=(lYAA8A<V|43hq@j?ENR3p{Txc~bQ"
    "U8U*&5Z{>oPjS-k|9(NI>i2*6RmcBb@ctj`Jjef^J^c40{;N&=HzEFC;5+>V)*xaV5wp+C-BU;K&He$O<9qg<|J-S0<J%9%|Emk~"
    "{HLS;VEu1F-F+XTe}VeXMO_u>-*WzUHF9PfGUP%%|Lgd_Q}BNm;rZ|4uK!O_|L+Iqf6SVnV9wl#(SH-_e>42s%>P-K8T|1db|L<="
    "FvlwVXJc+%j2ZXK0{lOA@V@}?Ux;s`Qc@zK1c*{o#7UuX9U_x}*i_WsQ*Tn8xP*`J?IEJUC;5%b@C_~yPpSQ1VwCw+HKE{T@fu4I"
    "Z;H3YOqQXhvG``O1g5Ttt*o+GB$kQ~Sao>EoO<xI7%euL6AmVd$zqC_DyE4UL30Zhi)CVkZytfzEdGtGn~!d8yV%H5#Wt~B>=Jv#"
    "esNIzEPfUL6Gz2L@wxa?d?EIUOfg&>5QoGs;;=X(wuo=cX#}}qr})h?y@>n&9RDAl|Lx;{mZSeT@Bf|U^LJ+(|5)eyD4}VT(k`?F"
    "?XFHL2Jo*@9=Yk@e_H-eO#o55=*?*w1rs>}`p0_R$^UVWKRe8RV@KFgc8vYbj<XXikNv?CSY=inv+@gKe4bZL9P)Pa_V7&^^4{gW"
    "CopNqJJdTIbG(1TkavvA)!uO;$2(Td84^pa_y?v61@Kqd+=@Tu_KjBjgXatdrV0h{7u&t#JtM^~?<DU_n9ui!y=tnE_bqd-&}i|i"
    "cb0dycMdG@&P9juoER&f_n!3TdxdwQ_gyt{N#;BF`}ThaKD1}lR1H+`EVZXg8)K9+chSz(#+gsYYx7`^Ho-j2d4aC~YNI2r|DNah"
    "uVf(XBN{0Q2T2L*{1^W`g9pud2F*!|W&U@;{8v{ltR^m!02>Gkp8w+7;Gd`PfVq0wj5M+C|8d#O|0L<8Jt+hEq$lZTH~)pSB&|t*"
    "Snk>dS;QT_|BLh@?MP|JB|S)A*G@voa58`lgKRY~Ld}#QEl4Yp5o`V@=?X_ln%({%lBni4kiqaLscbj@kCamLKS>wZMmpN*k8m|V"
    "f((k=`QP8ixc_5)0sh|>VgBo36aOtS=D%h@K4KGj{%a=I`+dy$kH>B2zotSi@;LhaAH5NO5dr@Z{`s#z#hCxPB*OgHzNa|<)rtQ_"
    "`rz%YyH~AyRjoTyt@}_dyG(<3lm_n}4caMMxF?jSsGXhWF3y_^cY+4*`t<Mcyo29qyZ^KoS9@$R&&5OhcjkYckNIEb^A*ni|1+@v"
    "zp8ouf4)&I+WB9jN<5zbMFu(epC<nP`#<NOrTHHjk>~#?{A14l=pT9h4;c{;_dh%F|McR&kz*JCwV|gt|IyKZ5%nLK{}81A?FI9n"
    "np^d6B$@g@Q8@qQ^gfIVMW6o?NB94R^xLfZ5AVK(>OZs_hny(Tzg>SXSpOp1X8yOOmuEBo+wATI`g!5{_pj4!wCmofuASHg!vkGA"
    "d;J&o^6d0)>F@RS&J9&ZaKFz^e}z3jNB?Ik|DUz_U*{_SJM&+PIRDG<|K{4o{|NY>D8&EN=6|`5x{o>Yzs}M8r`fIzh*sqJPdTn#"
    "e|`Q_0se7S|2gx275={XZ`87n|DpJY#{cut|I1sQ_i5gmytPH||K+XATc5Wf@3W%ek6d^1|2fJ3XM6td{{wU>UmE"
)

# Double-byte charsets: the Python codec they differ from, and packed: 256 UTF-16-BE units for single bytes,
# 256 flags of lead bytes, 256 flags of trail bytes that an unassigned code takes with it, and the codes that
# differ as pairs of 16-bit numbers, code and character, each less the one before.
DOUBLE: Final = {
    "windows-950-2000": (
        "cp950",
        "c-rmU*G^Pn6hPrMh>TK1?0^c2W5YJmL{P>7DPji;DrKZsMMR3I@GQIpZ^Vu9dSXI=Cm<w4G9+jH>+<AW?33@`mj?)u!2vQkN"
        "ETrZahPm!$R&>><a3k)j&Yn5oa7XzIYS{u6mynyoTr3RE^v`DE)n4}SGdYGu2aqpZgPv;+#$+cDyXE2YHGMgE%&LTo(DXnff"
        "$d7(?}DKX{Lo%+IT`cPkF|3UhtAvyrzRr-td-pyr+u~eB=||^w3Km2|m-$0D}xM%m|~5G0p^&O!0-UO!JKyzB9`Y=9p)JMSi"
        "lxFMjif<;{)YmQ0fF6H4pZ|Kq3p{?1QVV*l2*H$X5e3+&|SEgs<6HK#evX-;#dIn8NKbEY}XX-;#dIn8NKbDGnfX-;#R)10M"
        "b?r%bK=AP4><}_!T)12lsXPVQT<}_!T)12lsr#a1;<}{}{&6(yjr#a1;<}{}{&1p_^ra8@NPIHz@k=5{jzk+w&yRJFS*<Kfo"
        "uls*fbI)l`bDA^FX-;#Rvt73Z5iw)Z",
    ),
    "windows-936-2000": (
        "gbk",
        "c-rll$xakO7=XW?fngnXkY&Je*f)_KWpz}PeV0YqL_h&$Rd(<(I7;Sfcnl9b0T&J=yZ{FxF~Bf~;X+XM=^_2smrf=1SEVc8U"
        ")9y!fPxM^9(ZEF3vYbz#Seds1Q19N!GsV>7~w?lfJmZ<CI%C+#PJX_kFXF=0*NG%ObV%_kxmAgJSK}LWRpWKdE`?-Aw@jp8O"
        "4-PN*U!;@Ej{Ic*!d&dCeQDsHTQm>ZqrIMw)1*g;v^lOFJEO(#1R8(@hV(^wG};2KdMzLk#nY&x|n27+?6xI1@}V#WXW~<2$"
        "p=G0y^vEV0ZAtL9(!BkgjqkJ?31wV?H~Ua|Yz@dVH&IyacZPtDqQ5C4A3&bjTmr*UU(bk^46aLJeK7tQ)_RWdK#*Lu7uxl)m"
        "Kw*H?VyG8P&B2oOfApY;z>3L*uT>8uGMf<SiT1705Z{F*Vz51B7EA%xv*U(u{Nq69(>zsR~xhSV~H<-8W&z^?gJk-M`4#c~7"
        "7sR`G7jBE>L(lEAZD!kFvzU=RAl?P>F5U(4ey?fPZ^%E(n{enMtH|}70PQbKj{",
    ),
    "ibm-943_P15A-2003": (
        "cp932",
        "c-qB|)m9Y%00f7S?vO^hy96oe?o_(FyIZ<b0r}MB58&Y*4ztg@JAe_!m|)5m%rM6SORTWQ23zc~#{oy2aK;5!zT$>E9(d!$2"
        "0r-m4L|$|Adnz}2_cj)!igY~D58lWmN?=`Adw`JN#Q%Gr167vGRP#0Y<`kME_virKp{mGQ$i_alv6<^Ra8?$Ep^n>KqE~w^N"
        "ZiK&`KNabkIo`-Sp5)AN>q4$PmMfFv=L?Ofbn5)66i-9P=!&$P&w}u*w?icp4scsarkjRiFAbpg|33SR)$Mn8r1sNlj^5Gn&"
        "<$=Cz<jEooURTGg7?wV_RIX<Iwm)t>%nUk5tWk&bnuQ=REt7rNAyu63hZ-RWKr`m29>)RUg|UoQsxe>O&M^P%$}um2u~_6>Z"
        "8S1kF3lm",
    ),
    "ibm-943_P130-1999": (
        "cp932",
        "c-qB|)lwAz07TDKQY2JDCA^d%ozfs3qI8FJU%FGI8<Y}6pZG0)fp><P<qzQD4&&M9-93PTCp^UhORTWQ23wwC$8+p)z!4{2@"
        "RC<J<AN)0yyguaxU+yKUcAGIH$M2{hd=KLAdn9P5ljf7gb_{zkwg(q46%G9j(8GCB#C5FNF|L=q?17=S!9z#E_virz-J2i!d"
        "HqYri4<;D5ru-s;H)hTI#r@fkwX3L^Cb4(ndQSbkapPJ@nFtiGBtcWQbu#7-fucCYWT3X=a#Z&X~$u^P^_9s8wxhSBE;)rEc"
        "}8SA8<6UjrJ{kcKs)QH^O_6PnbNrZuBk&1qf>`mRO&(2|z5qE)SFT^riembSH{UF~UK2l}aBI@FPlb)r-K)|t-rM;H35e`fp"
        "tZw&YIsPm7n{}AT(&3uQ&dZRNIPBs{>Z*Vu<n&z(#?dsqTl{k#A",
    ),
    "ibm-942_P12A-1999": (
        "cp932",
        "c-rlh*;CG89K}Ds-`nf;mP%2UEZK_6o<f!ok&-A&gh(oBFKZ>T?@QK}8QmCDX1eLZjTtV?SZ8p9Of$xe8Qd_I3(WEJ2Vh3i#"
        "N<44F3)+s=b7(w00R>nF4*aUgRVGn#f@&b<AEpL@xq%P^uz~WdeNIc^uv#G`ZIum_%n#X3}Gn42q2K*j39_$LKw*?Ml*)7jA"
        "J~ZOdyPKCNhc1L@<S^Ok+Bc%wQ(7h+;N#h-NPHh+#gl#Ib;Q7Lvds7L!O4OIXS>mXpj1R+7RhR<njw*0PQ?)|1W#GRP#0jby"
        "Wl9CFDcp8^UgqL>mkvxTi}V>>%2rHsB@ve=eWuT-toI;Cm7(zQVu%2bv%DqEYBqg>@FUj-^uk&0EK&Dx@^+NSN=p;DEpTsu{"
        "vUD~Zm?a^NC(|#S$K^@Xz9nn!8({Y{9NuAPZRq2e*>YUE&f-b6BHL6uz8zyhC-mr|0hVg5(t9|>A|2wo*-^Saa;<mn7{~3Go"
        "k1!oTvmL#i?d<;(8a~xi`D7Gx?R623=MF~s)Drx$63@PMe7F}ybEK1&`!<GozcFIFwHQraxjgt-Xq>$3OO5{+dcUj0ZVw~Xz"
        "n;^d%eeL8tP!DLJYOZSD)b?{Tytr8>!AEmoay0=F`M0P&}zGC^>dOD<kHF%<4WWyGm#wg4)1NxF!hBh^8nFCkXh<XvAR8t5X"
        "0YU>L#Ar;)pj*Zrc2eXh)^h>Ww_HG=WAqjn}OOb#K53IE?Yq3-fEMS$*_!hwRDUK(mwP?#ztp#M%Gv`@cuqpXuBlr`x{+{<P"
        "8C",
    ),
    "euc-jp-2007": (
        "euc_jp",
        "c-qyKSBzIx5XOJ=r!Rf!Wr3wi?<gXIbQh`8q{#vT3oA=mLF%q7Qd}W4DY~)-qKOF_qsH>$gNZR>qDIjNK}AtSBSjQJL9gGvX"
        "A(&Cfd@(O{`2jedw0&6nQzJgj1*-kOF7C@fr?ZjjmlJ^D%Ge?4Qi53EoxJTy40gS4QNOs8k0d2n$nC+n$v=ow4ya_xP`W~qd"
        "gtyNGCeeg|2j?J3Z)0FK*>FdUHE{xP!jjNk95?7Xui`AO<spp$y}0vKY=ij9?_A7|j^Qaxdc;&jcniiTjw$6s9tb>D<o@vYE"
        "*&X7d1Zn9DqJn9l-od60$Vv53ViVJZ1M#4?uiFe_NeDps?GwG>duBdnu{^*qW3HnNG$JVr5(vqf<>WE<Pr!A^GZ1iRV8UiR@"
        "MPf^0t?58x*`9J?|s>keKKHbQNoBgpH{A@kW0ZoATS1J9gzh1_gze}TIr_}GCBws(r(mrju)^+})-<8wXrI)IC9E;x9s+!Q="
        "*VQGDNp=?+3FY<vnq&jXKP4*)O||}6GW+Uj(K%oB)cOl5MT+dofn@sGxr<o(>)7dWSk0n;dJ=8+RRtwvu->D9GoQIXhb7BMo"
        "``uAinU%9ba+N`nec0T!tiIO&Jd$Jgbw=FA3HCbhs8&;^VkLHrS@R$x?)G<*QG4kh|he}V=Wu(Xp)-duW5=}bV;&?<R6l~g{"
        "4}5lf;<tpowgn$QFGpIaZMU=v&DpLPOt^DRdIr3LAwq|6gpgRfs#WH_~;RhI~9HKPPY1d1w6Fgs|V@+NmN86&eQ~4h#z%PM5"
        "x_%QVN0VV<v4$fNE8(=B6GA~_#xkcXXo-u1f)n|$5J-^F3cTiC3w!5`flAy4&m#u&+3UMHhDsJqED?*kv@1o0kS40{r8V*gu"
        "f{k!BmLHX0%Hyb6nK<F#Pb_xaciSEOo|3Tm=sV|QqIv--%sl4T82fc*DbfK#IuQ+yy--YqH;|1kCTId`M3^lZU5SFL^Z962n"
        "Uf;4j2ihMUmFy@~7G^t#vE3ZcRh;u5+;^>Y$60hrvQ6MvcXpERq;AqYz82nNb%H+cxsCpz#u6KG{-=3NvKw8HoFw^U;C_?%S"
        "boUQdqup*@y@|E$hQ?S7el-@ss==7y(iB&zh%8|;vDt3#^0HO__11En<?*i#b2}-Thkdks@PjCai8ltG#d&}UG3$9m3mi=7A"
        "TL_E9ex+e&L6SzqVF2Qq<n-Y>IOj>#Y{zSSMpE*C@^tK3_7tjyrpQ<qD-<3(9x?t61@N$wk5bmXrFcSS`bQYk>D&y})gra=-"
        "0}bFBKd#oqT#0^hkWV7tWcg7M+J-SPhASdM(yeb#GCyeHgL2=ghKVZS*8nIYdv-n;nxyyE*Rhk26JNvDwa=p)~k=QW-ReKU6"
        "=w)aKf^Gk?5J|~{5bH)E&*^9moen;Ph+(q9@ju4s)^{<&fwZmL9)%WbIpi`3XKCSl|QPJx(<q#*93U@>HJHf~OvY)NGDUEC3"
        "rO-pkyxixtlHs=Fb2P_IIf*V~Q{To8{-kejP-b1}_1$4#<~SE|&s_c+zQs|h",
    ),
    "ibm-33722_P12A_P12A-2009_U2": (
        "euc_jp",
        "c-rlhM@$t_7=^!iAn*Vmii*HP$^%isLJ`FV(xfS111x|DN>MD>uu+sE2u5sx2pHV3B8CM!*DhEZBr%YXxM5{<kBmPrFJYk}E"
        "Fi(;{wHV7nLBsp-g}by0SyCo*s}r$9C5;kGcLHY5)*E$Vm0opVJ++MU_G9A;f)y|HsFgN{sdqlkRUb^%qBLog%Cp7$~LyMgD"
        "}F0Ad;O#v5VbAvxmLxV?PIoA(n&05l;e%ByosjQb;9@bPjWb3^K{$D91R?2~Ltt4!NA-G-o(V9{Ch-jzZ2;L@^h*NC~BsQO+"
        "eUQ^6Ika*gX$a)X=P;x>1v;x6~N&jTJ(O%1iw@rcLN(?BClJfWEup3+L2oYR}<wDW?Oyy7))=%AA>-qOuGdg!IkI_H1JvMNp"
        "c$Iwz1%e}NEu4j|<O9z;R5l#OnYH^>KnMAXE#ymbH|NR&1({E_bqe0cSxr+l=(^pw@M4U+&YV&TQ<D!v5v(Q2Ahef?ae~UT^"
        "{lxzgEu8zB{?q27#7|(<WyjO~*6wDo8^ka(_SgCby+y8$5^|Efqg!eJV@UM7^uyUby-yza6t}2nR#+H5s0>u@Dt85yyUJZb<"
        "*ss9P`Rtz73RYqf}eP+",
    ),
    "ibm-1375_P100-2008": (
        "big5hkscs",
        "c-rlk$xl;J6vlt&wNM!fNQDA2m7+*d>I}$?0}6@*j$lDhRGbGKfTA(F@-I+VE;MlrE-;uFH!e&Ji3?+*G0H+E#z;)m5TmBzc"
        "_eOhZMtahw>bBn`|fw{Iqxj)2M7ihtV9rrjY&iiO$@Qvi6fo_CX<MRDI}4MlN3@(V=C!nkVzKVxX8gxF4LG!9y7?tLjg0HMI"
        "l~hGl#j%V?GO5ND;-9u!vI1D5ru-s;H)h#Vlbd%cx~JE2yKMm8_zH)vRGH>u6*>8`#JuHnW8$n%Rnv7FyXx8|`do2OaEW7rW"
        "_X4}00iehzSuLmcJ^N9p1i$2q}Cy6K@8KYg6y^mrh&L9mAebp-qRNRaDurs~r@Bt+p3+028Bnh?%C+;icc3-?^O=fXV~#(#j"
        "}udPGg4I`=bNd8%5cnEju7vzl-sj^`_>Og95A=h3bFD@f_&yWONSNCAV-$d>zOW9lGsh+JEKz=+y-kWd4c4V{=u{=gHyO59l"
        "h^<@g10?Z=a_Jv0|At&q&I*nHVGMEFkpkr#97R6+k(dnS7(vE-i0eF()1<s#HNFSApQU$ssd2v}=_wi`3ArAJ^u{9R)Thc+R"
        "HsT$02wJo?hGQ)>TgX(u4-<bnaIFH#C{v``e<t`{--*|gwnN4%uQ>q|K2yPU182ERpXl0s!+e>qTy9->rs_#Q^o3<*fSBKa4"
        "P<AI26sKIRc&-qJ}+m87;Ve^%L(d(l4wujB71kHDX8~#`sV3oLtHt%DwQsMD=r|$?+SYXL$$",
    ),
    "ibm-1373_P100-2002": (
        "cp950",
        "c-rmUSx!@77=YooSddwn6coXVC?cp;PyvBb1wo2a)gq%+Z~)Y*I3TED6)b@*up@4WYk(CPlaiF=y#IT7axT7;=l?Db5F(F5g"
        "vqCX!xU0PF(s5zMma|~N(GfvQB4iUI8H5f)N_(QoT7n7P7~n_O`N5fbDXDz3$${PHrlzwWv&qAD%a?slk42zCS7#X!!3I0qn"
        "{W9#JSBK1{vZm!;El`Q4)-Cp9ehT5syjogr__s#W>HIV3H}OnPHX}q<P6J=9uR-Z+Oc)7FcA7_k7?Z89wouFD&zwZ+zzmEBs"
        "`YHGc7%6M-++CzR83@W;>k{eM4QkNw@++W^6=DX^30ws?SN*PP}wr#a1;<}{}{&6(yjr#a1;<}{}{&1p_^ra8@NPIH!(xt+A"
        ";%sr<$&1udwr#a1O&NQbv&1udwr#a1OPIH<w&1p_^nlsI5PIH<w&1p_^n$w)-OmmvkoaQW>BB{(~II)rROL*VC@0!z`?RU}m"
        "w*NRa_nhW5r#aJ{<}{}{`|oxEj7N1#",
    ),
    "ibm-950_P110-1999": (
        "cp950",
        "c-rlpX>3$g6vuyeX1Y<zu$85SE<mARWh=H8v_&W_BC9M#K%wA9-B1f^5r~O=5))&hA#VL*)EGZ$q9#TOF@!H_0)#}PG_AONK"
        "~%I!YfHy-=N;0T_@PFbXVNn#|2glzckjFBp7)#cI%(bjjtEg=q>)YrnPf4HY=)D=2;z)n6r&l#SaKQ1cqTBBN#t{g$rMmX5y"
        "eblD$^)oIx{F`CbPJPGOlGdbC}CK=2OlBuA_oVuBVEHEaC=kq?#HQa}!HgN-fK%qn_p5%nEK{C97D?8rHIoTUpNrHnNEZHgg"
        "+W*vd9;=MJ{BgGP3;i#xfCySayZ*-aDoaX%06AP=#Jhk1lYX=X3`c#Ow+f)@7kBnLQ1-jKJjUoO;F*z4wMtmdDLcxv&*52XS"
        "OO^arH6mA4vGlp#L!?Yzsc<s@Q>X4a#-3T=1Q_Fn%@o*#PE;a&<`4lr>8#42+8G*)pYMD<v8EyoB<Qsv;e2ST05i;{fjX+~Q"
        "wamvp4>y9ITqDq!PcidrLuUSYBhZ*nE%VVc;YQFKHv*0M6f?gmWaf_;fyR7lnU8!GZUmRJj6h>P#msL@`ohch|4?HuwKmnRe"
        ">lutXf)=`tj-y8#+)%{X3QCL#+)%{X3QCL#+)%{X3QCL#+)%{%o%fL#+)%{%o%fL#+)%{%o%fL#+)%{%o%gWoH1u+%o%gWoH"
        "1wiudE^7f-63cYb%h}bef8PpxE`1cdp2NIxXyHR3f;qzbR<m-WXeXA~MJ^*@NrX``h69m3=Jl{yDKaQ9ds6t@yE`T%21izD6"
        "`pv<jEDL5}YeZIyPbC{46i<e&K&CCB}9&F|pi?~4BpH&MoB$Q-*b;rd?0%{vy%nP?6C=}EZGr*V}7f8VGR_eD*Rn^JIDF{?@"
        "cnT@cTbT#Zu-rw&}TnIi#p)x0*vBdYOnQQV<nd?+?dt=+o;4_>M$`U=e@;SJRK91~}?=9Vfi#;p#;w9Yi^TF7kn{n+@j|&e;"
        "{b<MiDs_OUXusyNN4?hU#M{C7DGU0!xYU?mv?lG+KBwtO$hq*x64I7q=~7z~eWJ^_?)QU!?JwX;s$}12J?C(duREEtuUFe6W"
        "xFfz$?dbjc@y1%PxfsSKSq3K;2B0o=_le#wT709W=s7%oV*t~(zSl(YF&R>)S_#c5!B;kzbm!*ck#<*t)GdXCGzpEl=eCCZ;"
        "8h1yyHX_$-H#9W{p2b<hPILw#3U0(ONn0vLG%WM?~s2n{}Nz8k^+U`S>P?ig3{`rP$B6Q1|<LNQP*E#xMP1l`{V^oj<KVr(D"
        "VNI?<QGF}FUMFUNd6PnP!e_nJ$ZKe@*s9PyL(k+!QBe^7JjuV+KB7U%PLn2t!b=CMliU#q$H{fmSA`FY)z0rO_*`r{h&8uc<"
        "J>aV-}E#c1Ux+DiKUvpKj*SAu~#_32_*%Hx7?Y~sy^H(T3rTOg;`QIx)pm9k)qHky%uZUjNbvF%Q)5p3~G)2ew+Ww}l(I5XH"
        "xc*5VJi~K!Or7RAs@|{V8PRjvp0504YCER<#x(zFy4L)D?pf5ItIe%{sR<QY5B}HROMX0I-%HHwyRb25%o%fL#+)%{%o%fLg"
        "S9^avIQXo",
    ),
    "ibm-1386_P100-2001": (
        "gbk",
        "c-rlmTTo3=7{`C#sS}lM6gt9jP?TKCEkq|IQRzY{<rcZ*Qb?$H@PbFo7!Qr6C#GS>19Kj|WX6*RgBLT*FdiCXnlY2ow5>B|n"
        "`lVK?PShc|5<y_`mgK!zqR&S`&)ouA%H-v1Tl)y1QS9iV+bRh2qKAMEaQkKhVe{bBC*6ViL*>*3RAH&4F}Vi!A#;wU>37UB#"
        "AjBGnaYHX8|dsvXDhAW(iA4V;Rd?K{_j0MFvhXS<M>OlEpf*Sx*id*hnsU<g<wa3MrzP&1|8BQnpe?Ioqh9lI`qZC%f296?@"
        "oAHT&4l0S;2bAr5ndqtsHzF^+SBdQQ^7DNb{SMw)2GW^c#l*YI@^p9cIrv}U~SP+tK5gk=Pb;fCL;KQi<Wl~>>8Q`4MC#{;z"
        "!deUL$JF`DV+e@z(ztz83l80S3v;UE{l@C$E^P%lyIJA9yh*-}3B>%^GU-qLQ6$6H|7L96cYaha){&|1BuJ?7Wc~LgbJ%?;5"
        "Sl&GThL8UXI+U67^=q3XW|tzyUGHpqzsKvobAMypZQWgdeDd%e+O!5*cdfgI)?Mqa@u!f`XMHi4v$yrywK94QXx%lm?pk*Zt"
        "^0qC!W<jox;nsQ)gadQi17sJb$UEeuFFWS+Yj5Q_z%d(X7{Zi67o!?Zy|TWk%F6wi&XK7;wq5a<(~G69EiBjOm#@tL)F$rv!"
        "4bes$Jy;Bk%H&=nF_^<AA5ubsj0NS8aV#d;}8X_VD$n@|P6XiL`cOseEaAcZ*bvLf)n$wkG$@q}h&jkasgy)$Q|m^9%!NY4P"
        "w?c_wedc&eUBD%K96oYL(2J)|#C&!T^i&q^YjQ2",
    ),
    "ibm-1383_P110-1999": (
        "gb2312",
        "c-rmR*Kf~J7{~F~w`x|Ynzg!UZK|kE?Nxj4)~vnN-kZeUG`R9Nh&u^?f-C$5xaoyNQl-Cy#D%8y6HU%}Up(JD>*V>IoSXASB"
        "tZj-8fv7mCYov{Nps0sXemW2sak8Jt#;b$AWcV|bk;>z=`v)>lC7KWa^&ivr(SyNqpyDY8z9d>`34zmhyp_mGu#LxjWXI8V-"
        "*@_ya^_nWU?uynr6Bgip(_2Y;(*t&wL9kw8&yhEVayXE3CB2YQ;*dvDP~4ZLm?PO*Y$Nt8KR1VW(Yo+hebN_A7J1L5Cc6#8J"
        "l_cfv`hoOZ@p=bU%JMVDN5rE1QOuDa&B8*aMgwma^+=e`FXdgQV4A361z|9wSqUH||1ac=+g$%pTo)Smp9O^Vs%n0=m69u>V"
        "Wsd1k#e~7>MLp-fcQ^b!~b*Rm%Ma|0^=H<j;)@Q$b7yYF^fqzHPJ?I{E4+PzV?t#BX?$_Ua8R0C#9SFJyg6={0K+rwtUXK}>"
        "S+l%%r9b|*M3vd1yb96lLebEbv1oC%{gf(t+fP*R=I6_5Lb~YV=c>9yQA%00zoN=lS@{ii-e{!",
    ),
    "ibm-970_P110_P110-2006_U2": (
        "euc_kr",
        "c-rmM*;b7K0LAg&mlTmqDaV+OGUq5$$WT;DqKs)WrIcA@$`lo?C1W_WR_=Qfui?%kv^dK<Aj{eRn|-lw_P*E%B$y!4L`jlOG"
        "Fgf#rb;zUn(1bkX_nd2&5<F~Tp{z!x4=S+ES6=7Y+*~~$hFLJE3CB2YHQ?KD`K5|1=ibOqfIs|w8d826xnWvopvc!Vz)g?l_"
        "|GZg-ZKW*{|9G2i2%`$YDnub<A;fPN>(QQIlpTopRb4XSFz|Rh#qLb-3W7OD?<Os%x(6bi++uZn^D_yYA_B-vbXl@>q{2p6b"
        "=7-!sn*#CnFjFzBUMUVG!McZR(8!ADV_d^Y?m^Di^r75rBH=k<eN<lB$2*aHZ@M_R&PN24(x=MPixCBDJm;3qDRMA!",
    ),
    "windows-949-2000": (
        "cp949",
        "c-rmM=Q`E_0EY43Yh^22WHf9tUJ+47gUTv<W|vV2N#Rtw9F4Q+Eb5CZS0~~B!F%5)@I23l2O&|S#fTN>hIk1QB}tYdRhpY_N"
        "tYp0mTWn4<+&|ifjbHnDOTdHd+vLnRGD%WDpjdgqt-)p>NRK-*5r|9Egoyt=81M4o_eNJmu@|td*P*5di8njjko#@7&K(qJM"
        "WDcHD=s|NmHiHm^EkK2MZQ0S+-);nvXtNw_($k&%W5UW7k)E_8s`<(050E`03b*(|;G&*S~)RO(;-;jvsLSkn>-^|35&)D>i"
        "%<*&qln0h<LP82",
    ),
    "ibm-1363_P11B-1998": (
        "cp949",
        "c-rmM**??(0LAg|n6XBwjLIOUno_by36*Ruw2D+p_Q+P2qCATaPvOclc!FM_PuD(f%v1PZH0O7BuFg3Z2O(*~BGP5ZlqFk^6"
        "LRG_>6Cn@opDxys6ywQcR{h3O(jZQRHj_qC6`^1aMd*xuDhYqO;xJZs8y$4gIgLkx$TZ-ceQBM=AQc=X!lTuPF=e7c;vAsp6"
        "b=-nde@3>6O>|y)j_WTSMM??}K3<eKO*+QDeqUm^5YD7c*vkHD}&}MN7W<ZrO@eYkv4?-G*O&EBfyVTA@G{bo_wphivWC97_"
        "KeO};=xI6uq5{+?L;Z{p8xQ_@Ru%rtDLHVA?v>a{tJ",
    ),
    "ibm-1363_P110-1997": (
        "cp949",
        "c-rmM%U;X@0LAg|m>HE&)F@3c!jvwWYHH{r<&rLRL(wO6qma8u;#qvM=@nXe22aon__XfR#yo}p!kpjktj;-$gOCHlBBBn;l"
        "dr%bg$_I7s3OIVIj%&hm=nsBJE>CKcU4X~E#Zu6XPt9iQjJ;{)T!5?(M3&Cnzd+^)}~#?C6{&R)TP@MJ+A82=bGzoxT)VQ0|"
        "pHlcH12zMvWOa;jVk`n>6Ktho%!-W<2uP6SL;bTd?S<XO=8`?uD0Dyz<%`Z@u&02Oq8a<g+zjtov%iHx>UqK`Ruff{q_>{g5"
        "9&Q~RR3vFr;(gp2d-{r)9h{U^DzoymGR{xRvz+y+7L7n-Fx`v",
    ),
    "ibm-5471_P100-2006": (
        "big5hkscs",
        "c-rk*Npn<H6#n`p=}sC*WOP6!*qvqw4simUz!x%riUV;%MNt7~Q4lB4viuK1S(ZD?r7Nra2QJ*Xabvl5VY#t%V`;pn>z&ls$"
        "8&FYD50%N=Tz70_ulPu&wRgg0-%Hpedxyk%BWxvL#SdImSY8mF@j65605KpYp@pUa49as<+uXtaV4(8)!2YhY{WIFp^h;$un"
        "C*71zRzWZMYWK;d<PF3EYUAa5HYft=Nto*ooV4JMO@pxC^_m8+RkeB=%qm)0n|5_F^CI!M(T-`*A-Wz=L=Q2QY_+@dzHpV|W"
        "|~@dTd4Q#gdD@eB^*Sv-g5aRf(k3@_kCyo8tW3SPx)cpb;_2HwO8oWxr=g}3nz-o<-(AE$8!AK=6Jzm_(k+kd65{&idYE~{T"
        "EeYE@6Z$brFnp9h|ns=A-C9Hcd=6W&Li@9FR^<u6^7l5*S_<IPf{l9&(|B%<Wzm+eD^;QJR0__UDtz7#9$@5P_?<v=1fsTew"
        "btq7&**9mQPhQ@_<3#9o`vU2GM#T4a4fEi4OuSCN_Z7tJ1_D|BHHQ!LQ$AJ}p)$%XYxLfeCB-{sdr!Ac@7b<-hkJM=da0aZL"
        "-D`2H~X^_@_5wFLq3s5V^4h`zgZbbeXjD$+Df2ubE;FpZ1|`zR4*asv%sTz4B79WFYr;G!bj~=FJf5VYp%!|<t=M%Zh5wA-d"
        "Bg))`;vP)T#U;?c;qu{^KmFfkpy}P4iz4x6}*ugXW;vTJ5e^v3ZLx18oaD<yobO0rtP#%bqrOZG6~V;5hQ~!qy)z|K-_q5hM"
        "CL)x+kc#+|O^T;;fvHJd4>S!R`2brrq!o#d7BU^^-wwr_tywkEJ$rp$Y}4hCY|c;|#yYi!LHQeG@4V=uc0@5Oqn?W|57Y5sG"
        "*iyR!AY{Q)D6hD_|Y%k@>zEPXUYND)bIP$WsRo=noRC_3T&RE~s`s$r&v1fdrw~2rIdmGcNtKEnF?wz|fwlpV(1EtPw`<!dI"
        "zSG#_IwIJ}#)`!xlg7@xM&<SJk$rD#Va%R3p6ia!Y<}BwD}}ojgJbL-vDlI|8hau~h0blcPSQHHg{~PewbaWUmRtPD=Lf$Vq"
        "nPmI=4ak}l}U7o)fSc4J1ZDtDqqRryiINN^tAcHzty_Lb%($6Z^py^v3jI+P<54i)m?pL_f6G*{w}ibiNw3^(XPKxEXZeu*5"
        "MlMr)!2tSFVemePiEQCXHpzt-*q<|E3L=jp6;+JI(`}%ij5F?WfmzB(A&~<6$GlYJ9$N&S~9@opqh|O;g4{9@e&Xlh56lZQJ"
        "#n8ZQk8@5JyE_YE5Ytq*i0So;*_@MY+*cVJzMeN(ZQii1?27Q;HJJWTcJv3GeJzomL(4_k13I-eOw47bX)k-&fL;xHC-vHMQ"
        "2RKF9`o!Fl9)O+WhS9-Q)35;ORs2C<m>2Brn`X^a4mWXkSK|EXN`5VJ{G5i#>q34enj^x_c=}g?_Ln@9u%(U1%urlklQPg3J"
        "yE>WaSgg-io{8A=c}*b3dbWqqbAs_6_g%4C(5|P{x}DNRdj{)Q)}fOcsdy(lIETs?U$@K@dB0f)7g>HnYXjvNUBD^aJE^QPo"
        "0YRg*2w)#F-OoIhGh^Rh@P9sKZ?bLk7A|Ofy5Vf2D+Geqv|j-aU4TGZN<s#5H|k(6-H{?o8I0(e;TD94<IX@K{o%V{HFBj=y"
        "&yVKkRJrA>p=(&wgI@FASH;+gNS1d8WNyyP2oje!Q5YXv|n_sJ`MEwPKNKF{iRU1mn4!u%pGh;wPJD%ulhh+;1u3EY&|+{9^"
        "5@F~>Z3PQ~*!i+dRh?WMVpts@@xw*5KBBG)aUnsZ*TZM?iz{Li>laaio!^6I3mh1M>Uq@&u+&iNQGdN`c-^)PhJ=w*H7^@yI"
        "n3-v2eYwiD%yx++8eZjWYcigMQ`YAiVlz5N*U&qc$bw*?7#B2+%U*P$mwVm!0p8o?nd2qJ",
    ),
    "ibm-33722_P120-1999": (
        "euc_jp",
        "c-rmM$y3j99LMp;7a_7`OQ;k=mXHuCTZ_GH(PZDZLXl!@S;I(VubGUyKg896i~bY+YC1M<naq4%&%=A>HSf#&d3Yl-#8AV;8"
        "E%A;;*By|f-%M#XS@j#O*F}5Q%sd)nq<?>FjI<DX=X{6VYWHu$~4b>3uIYnk;RtCw$w7q<yaxtN~^4vXN|Si$ycDzdK+xC$!"
        "0~0l_<5vR@-d1!%n-DDYx4md+oDdg#!+%^i`EZ4m;wgV~#uFq*G2i<E(SeyWpZrs@1scimPhXx#qfhH#BH;)2+08x7~5qJ@+"
        "+v;Gstzd*Z2P&peOane3$&ue5sYjW%z+^WFy^eezkmj^3UBnL(8(>ZcmW80?7#I4`<%#y&s~@uEN9VlzGQXKI_A-`{)NU!w9"
        "KT`7G#fq%)D;2?Mp-UGpV@E!=>gZDu29=r$sMmHb9Qt1",
    ),
    "ibm-954_P101-2007": (
        "euc_jp",
        "c-rmMSyRt(7>4oBPqt(&q0(y0zGaDQ$xaa}vTrT2hh*P(L#1SEhBx4aICYQ{y%YX59X8G~nfcz=!83EubMjmV4<dua8ElB5h"
        "8Zs22nj|SWwbHI8YfYb@sdq2(IhESrI{>UhD=$q<(OisX{MVY*G#j_Hpg7^%(uWoi!7FBiKUiVF5e0(6<B4pHP%|E(0WBS*l"
        "3f@w%BT$?RF?uVy9h7?Y75WWy)39XTM4Z9CXNGM;vv`aVMN~N|kCgYMoZ+jI+);?}Cdisdw2GS2eh%(RDZ6bjxjb+;z`=4?O"
        "h9V^2Kw%yTcijNO^)wKtkHYw=dAHt)21?}Lv%`K+U7=YM8EC5rl}`ZET4qJGY+E?;6FpqqHn?{Bf0lh~QrD(~0#p7y7x^hZ}"
        "l?@r)f@-;XJ-h=l*@E*Jeg7@G(5WENPfxqzwFriYw",
    ),
}

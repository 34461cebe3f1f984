"""The hard strings of the tokenizer goldens: written by hand, then mixed with a fixed seed."""
import random

BY_HAND = [
    "", " ", "  ", "   ", "\n", "\n\n", "\r\n", "\r\n\r\n", "\t", "\t\t ", " \n ", "a", " a", "a ", "  a  ",
    "Hello, world!", "Hello world", " Hello", "hello  world", "hello   world ", "The quick brown fox.",
    "don't", "DON'T", "Don'T", "I'll", "I'LL", "we've", "WE'VE", "they're", "THEY'RE", "I'm", "I'M", "he'd", "HE'D",
    "it's", "IT'S", "'s", "'S", "''s", "'\u017f", "'\u017f\u017f x", "x'\u017f", "'t'T'm'M'd'D's'S", "can't've", "rock 'n' roll",
    "o'clock", "\u2019s don\u2019t", "it\u2019s", "' s", "'ll'LL", "y'all", "'re", "'RE'", "'ve'",
    "0", "1", "12", "123", "1234", "12345", "123456", "1234567", "3.14159", "1,000,000", "2024-02-29", "0x1F", "1e-10",
    "\u0661\u0662\u0663\u0664", "\u00bd\u00bc\u00be", "\u2155", "\u2167\u2168", "\u2460\u2461", "x\u00b2+y\u00b3", "\u0967\u0968\u0969", "\u4e00\u4e8c\u4e09", "\U0001d7d8\U0001d7d9",
    "a1b2c3", "abc123def", " 1 2 3", "  12  34", "1st 2nd 3rd", "v1.2.3-rc4", "$5.00", "50%", "#1", "1\n2\n3", "٣٫١٤",
    "caf\u00e9", "cafe\u0301", "na\u00efve", "nai\u0308ve", "\u00c5ngstr\u00f6m", "A\u030angstro\u0308m", "\u212b", "\u1e9b\u0323", "a\u0301\u0323b", "e\u0323\u0301",
    "\u0301abc", " \u0301", "o\u0302\u0301\u0323x", "\u1ed9\u0323", "\uac00\uac01", "\u1100\u1161\u11a8", "\u1112\u1161\u11ab\u1100\u1173\u11af", "\u0915\u093c", "\u0958",
    "\u09c7\u09be", "\u0b47\u0b3e", "\ufb01 \ufb03", "\u2126", "\u00b5", "\u03bc", "\u017f", "\u0130I\u0131i", "\u00df\u1e9e", "\u01c4\u01c5\u01c6",
    "\U0001f600", "\U0001f600\U0001f601", "\U0001f44d\U0001f3fd", "\U0001f468\u200d\U0001f469\u200d\U0001f467\u200d\U0001f466", "\U0001f1e9\U0001f1ea\U0001f1eb\U0001f1f7",
    "\u2764\ufe0f", "\u2764", "1\ufe0f\u20e3", "\U0001f3f3\ufe0f\u200d\U0001f308", "hi \U0001f642!", "\U0001f9d1\U0001f3fb\u200d\U0001f9b0 ok", "\u263a\ufe0e",
    "\u0645\u0631\u062d\u0628\u0627 \u0628\u0627\u0644\u0639\u0627\u0644\u0645", "\u0627\u0644\u0633\u064e\u0651\u0644\u0627\u0645\u064f", "\u05e9\u05dc\u05d5\u05dd", "\u05e9\u05b8\u05c1\u05dc\u05d5\u05b9\u05dd", "\u200f\u0645\u0631\u062d\u0628\u0627\u200e abc",
    "\u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35\u0e04\u0e23\u0e31\u0e1a", "\u0e44\u0e17\u0e22 \u0e41\u0e25\u0e30 English", "\u0e99\u0ec9\u0eb3", "\u1780\u17d2\u1798\u17c2\u179a",
    "\u4f60\u597d\uff0c\u4e16\u754c\uff01", "\u4e2d\u6587 English \u6df7\u5408", "\u3053\u3093\u306b\u3061\u306f\u4e16\u754c", "\u30ab\u3099\u30ac", "\uff21\uff22\uff23\uff11\uff12\uff13", "\ud55c\uad6d\uc5b4 \ub9d0", "\u3000\u5168\u89d2", "\u2e80\u2f00", "\U00020000\U0002a6d6",
    "\u0928\u092e\u0938\u094d\u0924\u0947 \u0926\u0941\u0928\u093f\u092f\u093e", "\u0ba4\u0bae\u0bbf\u0bb4\u0bcd", "\u1019\u103c\u1014\u103a\u1019\u102c", "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440!", "\u0395\u03bb\u03bb\u03b7\u03bd\u03b9\u03ba\u03ac \u03c3\u03c2", "\u10e5\u10d0\u10e0\u10d7\u10e3\u10da\u10d8",
    "a\u00a0b", "\u00a0", "\u00a0\u00a0x", "a \u00a0 b", "\u2003x", "\u2009\u200a", "a\u200bb", "\u200b", "\ufeffabc", "a\u2028b\u2029c", "a\u0085b", "\u180e", "a\u180eb \u180e c", "\u1680x", "\u202fx", "\u205fx", "\u2060",
    "\x00", "a\x00b", "\x01\x02\x03", "\x07\x08\x0b\x0c", "\x1b[31mred\x1b[0m", "\x7f", "\x1c\x1d\x1e\x1f", "a\x0bb\x0cc", "\u0080\u009f", "\x1ca",
    "a\nb", "a\n\nb", "a \n b", "a\r\nb\r\n", "\n\n\n", " \n\n ", "\n a", "\n  a", "a\n", "a \n", "a\t\n", "\ta\tb", "    indented", "        8", "line1\n    line2\n\tline3\n", "\r", "\r\r\n\n", "a\r", "!\n\n", "...\n\n...", "?!\r\n", "   \n   x", " \t \t x",
    "if (x) {\n    return y;\n}\n", "def f(a, b=1):\n    return a+b  # c\n", "<html><body>\u00a0</body></html>", "{\"a\": [1, 2.5, null]}", "http://example.com/a?b=c&d=%20#e", "user@example.org", "C:\\path\\to\\file", "/usr/local/bin", "a_b_c __init__", "CamelCaseWord", "ALLCAPS", "snake_case_word", "x=y*z/2-1", "a->b::c", "((()))", "!!!", "...", "\u2026", "-- --- \u2014", "\u00abquote\u00bb \u201cq\u201d", "a/b", "\\n\\t", "``code``", "**bold**", "~~~", "@#$%^&*", "\u20ac100 \u00a35 \u00a51", "\u2200x\u2208\u211d", "\u2211\u222b\u221e", "\u00b0C", "\u2190\u2192", "\u2588\u2593", "\ue000\uf8ff", "\U000f0000", "\U0010ffff", "\ufffd", "\ufdd0", "\uffff",
    "<|im_start|>", "<|im_end|>", "<|im_start|>user\nHi<|im_end|>\n<|im_start|>assistant\n", "a<|im_end|>b", " <|im_end|> ", "<|im_end|><|im_end|>", "<|im_end", "|im_end|>", "<|im_end|", "<<|im_end|>>", "<|IM_END|>", "<|im_ end|>", "x <|im_end|>\n", "<|endoftext|>", "<|endoftext|>x", "<|endoftext|", "it's<|im_end|>'s", "12<|im_end|>34", "\u00e9<|im_end|>\u0301", "  <|im_start|>  ", "<s>", "</s>", "<unk>", "<0x0A>", "[INST] x [/INST]", "<s>a</s>", "<pad>", "<think>", "</think>ok", "a<think> b", "<tool_call>{}</tool_call>", "mid<think>word",
    "\u2581", "\u2581a", "a\u2581b", "\u2581\u2581 x", " \u2581 ", "\u0120", "\u010a", "\u0120hello", "\u0100\u0101", "\u00ad", "\u0122\u0143",
    "wordwordwordword", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "hahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahahaha", "antidisestablishmentarianism", "Donaudampfschifffahrtsgesellschaft", "abababababababababababababababababababababababababababababababababababababababababababababab", "                                                                                x", "\n" * 70, "=" * 100, "-" * 65 + "x", "0" * 60, "\u00e9" * 60, "\U0001f600" * 30, "\u4e2d" * 60, " a" * 60, "the the the the", "THE THE the",
]

ATOMS = ["a", "the", " the", "Hello", "WORLD", "'s", "'LL", "'", "1", "23", "456", "7890", " ", "  ", "   ", "\n", "\r\n", "\t", "\u00a0", "\u3000", ".", ",", "!?", "...", "-", "_", "(", ")", "\u00e9", "e\u0301", "\u0301", "\u00df", "\u4e2d\u6587", "\u65e5", "\U0001f600", "\u200d", "\ufe0f", "\u0e01\u0e33", "\u0645", "\u0651", "\uac00", "\u1100\u1161", "\u00bd", "\u0663", "<|im_end|>", "<|im_start|>", "<think>", "<s>", "\u2581", "\x00", "\x7f", "\u180e", "\u0085", "\u2028", "$", "\u20ac", "=", "\\", "/", "\u017f", "\u212a"]


def strings():
    generator = random.Random(20261123)
    mixed = ["".join(generator.choice(ATOMS) for _ in range(generator.randint(2, 14))) for _ in range(160)]
    unique = list(dict.fromkeys(BY_HAND + mixed))
    return unique

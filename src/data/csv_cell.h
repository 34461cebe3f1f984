#pragma once
// Cells of a CSV file that people open in a spreadsheet (RFC 4180). Texts stand in double quotes,
// always, so that no comma and no line break in one ever starts a cell.
//
// A spreadsheet takes a cell that begins with = + - @ for a formula, quoted or not, and may run it
// (OWASP, "CSV Injection", which adds tab, CR and LF, and the full-width forms of the four). Such a
// text gets an apostrophe in front, which makes it text again; one that is a number as JSON writes it
// ("-5") stays, since numbers run nothing. Who reads the file with a program and wants the text
// itself removes one apostrophe that stands before one of these.

#include <string>
#include <string_view>

namespace hone::data {

// True for a text that gets an apostrophe.
bool looks_like_formula(std::string_view text);

// Appends the text as a cell: nothing at all for an empty one.
void append_csv_text(std::string_view text, std::string& out);

}  // namespace hone::data

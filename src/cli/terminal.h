#pragma once
// What the other end of stdout and stderr is: a person's terminal, or a file.

#include <cstddef>
#include <string>
#include <string_view>

namespace hone::cli {

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// Columns of the terminal behind that file descriptor (STDOUT_FILENO, ...); 0 when it is none.
size_t terminal_width(int descriptor);

// Colour only on a terminal, when NO_COLOR is unset or empty (no-color.org) and TERM is not "dumb".
bool stdout_has_colour();
// The text in bold where there is colour, else as it is.
std::string bold(std::string_view text);

}  // namespace hone::cli

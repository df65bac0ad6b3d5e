// SPDX-License-Identifier: BSD-3-Clause
// The texts that completion and help show for Lua itself and for the kernel's own module. To add one, add a line: name,
// signature, text. A name is "library.function", "function", "library" or "file:method", whose signature starts with the
// file. Texts are Markdown with `code` as their only mark; the first sentence stands alone in lists. A version of Lua that
// lacks a function shows no line for it, so say "(5.4)" only where what a function does differs.
#include "standard_library.hpp"

#include <algorithm>

namespace lua_kernel {

const std::vector<StandardEntry>& standard_library() {
  static const std::vector<StandardEntry> entries = {
      // ---- basic functions ----
      {"assert", "(v [, message, ...])",
       "Returns all its arguments if `v` is neither false nor nil, and raises an error otherwise. The error value is "
       "`message`, of any type; without one it is \"assertion failed!\"."},
      {"collectgarbage", "([option [, arg, ...]])",
       "Controls the garbage collector. `option` is \"collect\" (a full cycle, the default), \"count\" (the memory in use, "
       "in KiB), \"stop\", \"restart\", \"step\", \"isrunning\", and in 5.4 \"incremental\" and \"generational\", which "
       "choose how it works."},
      {"dofile", "([filename])",
       "Runs a file as Lua code and returns its results. Without a name it runs what standard input holds. Errors in the "
       "file are raised here."},
      {"error", "(message [, level])",
       "Raises an error with `message`, a value of any type, and never returns. To a string the place is added that "
       "`level` "
       "tells: 1 is the function that called error (the default), 2 its caller, 0 adds none."},
      {"getmetatable", "(object)",
       "Returns the metatable of a value, or nil if it has none. If the metatable has a field `__metatable`, that is what "
       "is returned."},
      {"ipairs", "(t)",
       "For `for i, v in ipairs(t) do`: visits t[1], t[2] and so on up to the first nil. Obeys `__index` (from 5.3 on)."},
      {"load", "(chunk [, chunkname [, mode [, env]]])",
       "Compiles a piece of Lua code and returns it as a function, or nil and a message. `chunk` is a string, or a "
       "function that returns one piece after the other. `mode` allows text (\"t\"), precompiled code (\"b\") or both; "
       "`env` takes the place of the globals."},
      {"loadfile", "([filename [, mode [, env]]])",
       "Compiles a file, as `load` does a string, without running it. Without a name it reads standard input."},
      {"loadstring", "(text [, chunkname])", "Compiles a string: what `load` does for strings since 5.2."},
      {"next", "(table [, index])",
       "Returns the key after `index` with its value, in an order of its own; nil after the last one. Without an index it "
       "returns the first: `next(t) == nil` tells that a table is empty. Fields may be changed or removed during such a "
       "walk, but none may be added."},
      {"pairs", "(t)",
       "For `for k, v in pairs(t) do`: visits all fields of a table in no particular order. Obeys `__pairs`."},
      {"pcall", "(f [, arg, ...])",
       "Calls a function so that errors do not spread. Returns true and the results, or false and the error value."},
      {"print", "(...)",
       "Writes its arguments as `tostring` makes them to standard output, with tabs between them and a newline at the "
       "end. For values shown with structure, end a cell with them."},
      {"rawequal", "(v1, v2)", "Tells whether two values are the same without asking `__eq`."},
      {"rawget", "(table, index)", "Returns table[index] without asking `__index`."},
      {"rawlen", "(v)", "Returns the length of a table or string without asking `__len`."},
      {"rawset", "(table, index, value)",
       "Sets table[index] without asking `__newindex`, and returns the table. The index may be neither nil nor NaN."},
      {"require", "(modname)",
       "Loads a module once and returns what it is: a second call returns the same value. Searches `package.preload`, then "
       "files by the patterns of `package.path` and `package.cpath`. To load a module again set "
       "`package.loaded[modname] = nil` first."},
      {"select", "(n, ...)",
       "Returns the arguments from number `n` on; a negative n counts from the last. `select('#', ...)` returns how many "
       "there are, nils included."},
      {"setmetatable", "(table, metatable)",
       "Gives a table a metatable (nil takes it away) and returns the table. Fails if the present one has a field "
       "`__metatable`."},
      {"tonumber", "(e [, base])",
       "Turns a value into a number, or returns nil if it is none. With a base from 2 to 36, `e` is a string of digits of "
       "that base, and the result an integer."},
      {"tostring", "(v)",
       "Turns any value into readable text. Obeys `__tostring` and, from 5.3 on, shows the `__name` of a metatable."},
      {"type", "(v)",
       "Returns the name of a value's type: \"nil\", \"number\", \"string\", \"boolean\", \"table\", \"function\", "
       "\"thread\" or \"userdata\" (LuaJIT also has \"cdata\")."},
      {"unpack", "(list [, i [, j]])", "Returns the elements of a list: `table.unpack` since 5.2."},
      {"warn", "(message, ...)",
       "Writes a warning to standard error, its arguments joined. `warn('@on')` switches warnings on, `warn('@off')` "
       "off."},
      {"xpcall", "(f, handler [, arg, ...])",
       "As `pcall`, but an error first goes through `handler`, while the stack of calls is still there: "
       "`xpcall(f, debug.traceback)` returns the message with a traceback."},
      {"getfenv", "([f])", "Returns the table of globals that a function, or the level of a call, uses (5.1 and LuaJIT)."},
      {"setfenv", "(f, table)",
       "Sets the table of globals that a function, or the level of a call, uses (5.1 and LuaJIT)."},
      {"module", "(name [, ...])",
       "Makes the rest of a file a module with its own globals (5.1 and LuaJIT). Return a table instead."},
      {"newproxy", "([metatable])", "Makes an empty userdata, with a metatable if asked (5.1 and LuaJIT)."},
      {"gcinfo", "()", "Returns the memory in use, in KiB: use `collectgarbage('count')`."},
      {"_G", "", "The table of all global variables, itself one of them: `_G.x` is the global x."},
      {"_VERSION", "", "The version of the language, such as \"Lua 5.4\"."},

      // ---- coroutine ----
      {"coroutine", "", "Functions that can pause and go on later, each with a stack of its own."},
      {"coroutine.close", "(co)",
       "Ends a coroutine that is suspended or dead, and closes its variables that wait for it (`<close>`). Returns true, "
       "or false and the error that it ended with or that closing led to."},
      {"coroutine.create", "(f)", "Makes a coroutine that will run the function `f`. It starts with the first `resume`."},
      {"coroutine.isyieldable", "([co])", "Tells whether a coroutine, by default the one that runs, may pause here."},
      {"coroutine.resume", "(co [, value, ...])",
       "Starts a coroutine, the values being its arguments, or lets it go on, the values being the results of its "
       "`yield`. Returns true and what it yields or returns, or false and its error."},
      {"coroutine.running", "()",
       "Returns the coroutine that runs, and true if it is the main one (LuaJIT without 5.2 compatibility returns nil "
       "there)."},
      {"coroutine.status", "(co)",
       "Returns \"running\", \"suspended\" (not started, or paused in yield), \"normal\" (it waits for another that it "
       "resumed) or \"dead\"."},
      {"coroutine.wrap", "(f)",
       "Makes a coroutine and returns a function that resumes it: its results are those of the yield, and errors are "
       "raised. Good for iterators: `for v in coroutine.wrap(f) do`."},
      {"coroutine.yield", "(...)",
       "Pauses the coroutine that runs. The arguments become the results of `resume`; the result is what the next resume "
       "is given."},

      // ---- debug ----
      {"debug", "", "A look inside of running programs. Slow, and able to break what other code relies on."},
      {"debug.debug", "()", "Reads lines and runs each, until one is `cont`."},
      {"debug.gethook", "([thread])", "Returns the hook of a thread: function, mask and count."},
      {"debug.getinfo", "([thread,] f [, what])",
       "Returns a table about a function, or about the call at a level (1 is the caller of getinfo). `what` picks its "
       "fields: `n` name, `S` where it is defined, `l` current line, `t` whether a tail call, `u` upvalues and parameters, "
       "`f` the function, `L` lines with code, `r` transferred values (5.4)."},
      {"debug.getlocal", "([thread,] f, index)",
       "Returns name and value of a local variable of the call at a level; of a function only the names of its "
       "parameters. Negative numbers are variable arguments."},
      {"debug.getmetatable", "(value)", "Returns the metatable of any value, whatever its `__metatable` says."},
      {"debug.getregistry", "()", "Returns the table in which C code keeps its values."},
      {"debug.getupvalue", "(f, index)", "Returns name and value of an outer variable that a function uses."},
      {"debug.getuservalue", "(u [, n])", "Returns the `n`th value that belongs to a userdata, and whether it has one."},
      {"debug.sethook", "([thread,] hook, mask [, count])",
       "Has a function called at each call (\"c\" in `mask`), return (\"r\"), line (\"l\") or after each `count` "
       "instructions. Without arguments it takes the hook away."},
      {"debug.setlocal", "([thread,] level, index, value)",
       "Sets a local variable of the call at a level, returns its name."},
      {"debug.setmetatable", "(value, metatable)",
       "Sets the metatable of any value; for types other than table and userdata it counts for all values of the type."},
      {"debug.setupvalue", "(f, index, value)", "Sets an outer variable that a function uses, and returns its name."},
      {"debug.setuservalue", "(u, value [, n])", "Sets the `n`th value that belongs to a userdata."},
      {"debug.traceback", "([thread,] [message [, level]])",
       "Returns a text of the calls that are open, after `message`. A message that is no string is returned as it is."},
      {"debug.upvalueid", "(f, n)", "Returns an identity of an outer variable: functions that share one give the same."},
      {"debug.upvaluejoin", "(f1, n1, f2, n2)", "Makes outer variable `n1` of f1 the same as `n2` of f2."},
      {"debug.setcstacklimit", "(limit)", "Does nothing any more (5.4)."},
      {"debug.getfenv", "(o)", "Returns the environment of a value (5.1 and LuaJIT)."},
      {"debug.setfenv", "(object, table)", "Sets the environment of a value (5.1 and LuaJIT)."},

      // ---- io, and files ----
      {"io", "",
       "Reading and writing files. Functions that fail return nil, a message and a number, except `io.lines`, which "
       "raises. In a notebook `io.stdout` and `io.stderr` write below the cell and `io.stdin` asks for a line."},
      {"io.close", "([file])", "Closes a file, by default the default output. Files also close when they are collected."},
      {"io.flush", "()", "Writes out what the default output holds back."},
      {"io.input", "([file])",
       "Makes a file, or the file of a name, the default input, and returns it; without an argument it returns the "
       "present one."},
      {"io.lines", "([filename, ...])",
       "For `for line in io.lines(name) do`: reads a file, by default the default input, piece by piece, as the formats "
       "tell (see `file:read`; by default lines). The file is closed at its end. Raises errors."},
      {"io.open", "(filename [, mode])",
       "Opens a file and returns it, or nil and a message. `mode`: \"r\" read (the default), \"w\" write anew, \"a\" "
       "append, with \"+\" for both reading and writing, with \"b\" for binary files on systems that care."},
      {"io.output", "([file])",
       "Makes a file, or the file of a name, the default output, and returns it; without an argument it returns the "
       "present one."},
      {"io.popen", "(prog [, mode])",
       "Starts a program and returns a file that reads what it writes (\"r\", the default) or writes what it reads "
       "(\"w\"). Closing it returns what `os.execute` returns."},
      {"io.read", "(...)", "Reads from the default input: see `file:read`. In a notebook, asks for a line."},
      {"io.tmpfile", "()", "Opens a new file for reading and writing that goes away when the program ends."},
      {"io.type", "(obj)", "Returns \"file\", \"closed file\", or nil for what is no file."},
      {"io.write", "(...)", "Writes to the default output: see `file:write`."},
      {"io.stdin", "", "Standard input: in a notebook, lines that the user types."},
      {"io.stdout", "", "Standard output: what is written appears below the cell."},
      {"io.stderr", "", "Standard error: what is written appears below the cell, marked as such."},
      {"file:close", "(file)",
       "Closes the file. For one of `io.popen` it returns how the program ended, as `os.execute` does."},
      {"file:flush", "(file)", "Writes out what the file holds back."},
      {"file:lines", "(file, ...)",
       "For `for line in file:lines() do`: reads piece by piece, by the formats of `file:read`, and leaves the file open."},
      {"file:read", "(file, ...)",
       "Reads one value for each format: \"l\" a line without its end (the default), \"L\" with it, \"n\" a number, "
       "\"a\" all the rest, a number up to so many bytes. Returns nil where the file has ended. (5.1 and LuaJIT write "
       "\"*l\".)"},
      {"file:seek", "(file [, whence [, offset]])",
       "Sets the place of the next reading or writing, counted from \"set\" (the beginning), \"cur\" (here, the default) "
       "or \"end\", and returns it, counted from the beginning."},
      {"file:setvbuf", "(file, mode [, size])",
       "Sets how output is held back: \"no\" not at all, \"full\" until the buffer is full, \"line\" until a newline."},
      {"file:write", "(file, ...)",
       "Writes strings and numbers, and returns the file, so that calls can be chained. Returns nil and a message when it "
       "fails."},

      // ---- math ----
      {"math", "", "Mathematical functions and constants. Angles are in radians."},
      {"math.abs", "(x)", "Returns the absolute value, an integer for an integer."},
      {"math.acos", "(x)", "Returns the angle, from 0 to pi, whose cosine is `x`."},
      {"math.asin", "(x)", "Returns the angle, from -pi/2 to pi/2, whose sine is `x`."},
      {"math.atan", "(y [, x])",
       "Returns the angle of the point (x, y), from -pi to pi; with `x` left out, or 1, the angle whose tangent is `y`."},
      {"math.atan2", "(y, x)", "Returns the angle of the point (x, y): `math.atan(y, x)` since 5.3."},
      {"math.ceil", "(x)", "Rounds up to an integer."},
      {"math.cos", "(x)", "Returns the cosine of an angle in radians."},
      {"math.cosh", "(x)", "Returns the hyperbolic cosine (5.1 and LuaJIT)."},
      {"math.deg", "(x)", "Turns radians into degrees."},
      {"math.exp", "(x)", "Returns e to the power of `x`."},
      {"math.floor", "(x)", "Rounds down to an integer."},
      {"math.fmod", "(x, y)", "Returns the rest of x / y that has the sign of `x`; `x % y` has that of `y`."},
      {"math.frexp", "(x)", "Splits `x` into m and e with x = m * 2^e and m from 0.5 up to 1 (5.1 and LuaJIT)."},
      {"math.huge", "", "Infinity: greater than every other number."},
      {"math.ldexp", "(m, e)", "Returns m * 2^e (5.1 and LuaJIT)."},
      {"math.log", "(x [, base])", "Returns the logarithm of `x`, by default the natural one."},
      {"math.log10", "(x)", "Returns the logarithm to base 10: `math.log(x, 10)` since 5.2."},
      {"math.max", "(x, ...)", "Returns the greatest of its arguments."},
      {"math.maxinteger", "", "The greatest integer, 2^63 - 1."},
      {"math.min", "(x, ...)", "Returns the least of its arguments."},
      {"math.mininteger", "", "The least integer, -2^63."},
      {"math.modf", "(x)", "Returns the whole part of a number, rounded to zero, and its fraction."},
      {"math.pi", "", "The ratio of a circle's circumference to its diameter."},
      {"math.pow", "(x, y)", "Returns x to the power of y: the operator `^`."},
      {"math.rad", "(x)", "Turns degrees into radians."},
      {"math.random", "([m [, n]])",
       "Returns a random number: a float from 0 up to, but not, 1; with `m` an integer from 1 to m; with both an integer "
       "from m to n. `math.random(0)` returns random bits (5.4)."},
      {"math.randomseed", "([x [, y]])",
       "Starts the random numbers anew: the same seed gives the same ones. Without an argument, 5.4 picks a seed."},
      {"math.sin", "(x)", "Returns the sine of an angle in radians."},
      {"math.sinh", "(x)", "Returns the hyperbolic sine (5.1 and LuaJIT)."},
      {"math.sqrt", "(x)", "Returns the square root."},
      {"math.tan", "(x)", "Returns the tangent of an angle in radians."},
      {"math.tanh", "(x)", "Returns the hyperbolic tangent (5.1 and LuaJIT)."},
      {"math.tointeger", "(x)", "Returns the integer that equals `x`, or nil (in 5.4 `fail`) if there is none."},
      {"math.type", "(x)", "Returns \"integer\", \"float\", or nil for what is no number."},
      {"math.ult", "(m, n)", "Tells whether m < n when both are taken as integers without a sign."},

      // ---- os ----
      {"os", "", "Time, files and the system around the program."},
      {"os.clock", "()", "Returns the processor time that the program has used, in seconds."},
      {"os.date", "([format [, time]])",
       "Returns a time, by default the present one, as text in the format of C's strftime. \"*t\" makes a table with year, "
       "month, day, hour, min, sec, wday, yday, isdst. A format that starts with \"!\" means UTC."},
      {"os.difftime", "(t2, t1)", "Returns the seconds from time `t1` to time `t2`."},
      {"os.execute", "([command])",
       "Runs a shell command and returns true or nil, \"exit\" or \"signal\", and the status or signal. Its output appears "
       "in the cell. Without a command it tells whether there is a shell."},
      {"os.exit", "([code [, close]])",
       "Ends the program; in a notebook, the kernel, once the cell is answered. `code` is true (the default), false or a "
       "number."},
      {"os.getenv", "(varname)", "Returns an environment variable, or nil if it is not set."},
      {"os.remove", "(filename)", "Deletes a file or an empty folder. Returns true, or nil, a message and a number."},
      {"os.rename", "(oldname, newname)", "Renames a file. Returns true, or nil, a message and a number."},
      {"os.setlocale", "(locale [, category])",
       "Sets the locale of the program and returns its name, or nil. With nil as locale it only returns the present one."},
      {"os.time", "([table])",
       "Returns the present time, or that of a table with year, month, day and perhaps hour, min, sec, isdst; in seconds "
       "since the beginning of 1970 on common systems. Fields out of their range are brought into it."},
      {"os.tmpname", "()", "Returns the name of a new file for temporary use. Remove it when done."},

      // ---- package ----
      {"package", "", "How `require` finds and loads modules."},
      {"package.config", "", "Lines that tell the separators in paths, and the marks in templates."},
      {"package.cpath", "", "The templates by which `require` looks for modules in C."},
      {"package.loaded", "", "The modules that were loaded, by name."},
      {"package.loaders", "", "The functions that `require` asks for a module: `package.searchers` since 5.2."},
      {"package.loadlib", "(libname, funcname)",
       "Loads a C library and returns the function of that name; with \"*\" it only links the library."},
      {"package.path", "",
       "The templates by which `require` looks for modules in Lua, separated by semicolons: each `?` becomes the name."},
      {"package.preload", "", "Functions that load modules, by name: `require` looks here first."},
      {"package.searchers", "", "The functions that `require` asks for a module, one after the other."},
      {"package.searchpath", "(name, path [, sep [, rep]])",
       "Returns the first file that fits one of the templates in `path`, or nil and a message with all that were tried."},
      {"package.seeall", "(module)", "Lets a module see the globals (5.1 and LuaJIT)."},

      // ---- string ----
      {"string", "",
       "Functions for strings, which are bytes counted from 1; negative positions count from the end. They are methods of "
       "strings too: `s:upper()`. For characters of UTF-8 see `utf8`."},
      {"string.byte", "(s [, i [, j]])", "Returns the codes of the bytes from `i` (1) to `j` (i)."},
      {"string.char", "(...)", "Returns the string of bytes with these codes."},
      {"string.dump", "(function [, strip])",
       "Returns a function as precompiled code that `load` takes; without names and lines if `strip` is true."},
      {"string.find", "(s, pattern [, init [, plain]])",
       "Looks for a pattern, from position `init` (1) on, and returns where the match starts and ends, and its captures; "
       "or nil. If `plain` is true the pattern is plain text."},
      {"string.format", "(formatstring, ...)",
       "Returns text made after a format, as C's printf: `%d` integer, `%f` `%g` `%e` float, `%s` any value as text, `%q` "
       "a "
       "string as Lua would write it, `%x` hexadecimal, `%c` byte, `%a` hexadecimal float, `%%`. Width and precision: "
       "`%5.2f`, `%-10s`."},
      {"string.gfind", "(s, pattern)", "The old name of `string.gmatch`."},
      {"string.gmatch", "(s, pattern [, init])",
       "For `for word in s:gmatch('%a+') do`: visits all matches of a pattern, its captures or else the whole match."},
      {"string.gsub", "(s, pattern, repl [, n])",
       "Returns `s` with all, or the first `n`, matches replaced, and their number. `repl` is text in which `%1` to `%9` "
       "are "
       "captures and `%0` the match, a table that is asked for the first capture, or a function that is called with the "
       "captures; false or nil keep the match."},
      {"string.len", "(s)", "Returns the number of bytes: `#s`."},
      {"string.lower", "(s)", "Returns `s` with capital letters made small. Only letters of the locale's single bytes."},
      {"string.match", "(s, pattern [, init])",
       "Looks for a pattern, from position `init` (1) on, and returns its captures, or the whole match if it has none; nil "
       "if there is none. Classes: `%a` letters, `%d` digits, `%s` space, `%w` letters and digits, `%p` punctuation, `.` "
       "all, `[set]`; `*` `+` `-` `?` repeat; `^` and `$` are the ends; `%b()` pairs, `%f[set]` a border."},
      {"string.pack", "(fmt, v1, v2, ...)",
       "Returns the values as bytes. `fmt`: `b` `h` `i` `l` `j` signed integers (capital: without a sign), `i4` of 4 "
       "bytes, "
       "`f` `d` `n` floats, `s4` a string after its length, `z` up to a zero, `x` padding; `<` `>` `=` choose the order of "
       "bytes, `!` alignment."},
      {"string.packsize", "(fmt)", "Returns how many bytes `string.pack` makes with this format."},
      {"string.rep", "(s, n [, sep])", "Returns `n` copies of `s`, with `sep` between them."},
      {"string.reverse", "(s)", "Returns the bytes of `s` from the last to the first."},
      {"string.sub", "(s, i [, j])", "Returns the part of `s` from position `i` to `j` (-1, the end)."},
      {"string.unpack", "(fmt, s [, pos])",
       "Reads values out of bytes as `string.pack` writes them, from `pos` (1) on. Returns them and the position after "
       "the last byte read."},
      {"string.upper", "(s)", "Returns `s` with small letters made capital. Only letters of the locale's single bytes."},

      // ---- table ----
      {"table", "", "Functions for tables that are lists: with values at 1, 2, … up to their length."},
      {"table.concat", "(list [, sep [, i [, j]]])",
       "Returns the strings and numbers of a list as one string, with `sep` between them."},
      {"table.insert", "(list, [pos,] value)",
       "Puts a value into a list: at its end, or at `pos`, where what follows moves up."},
      {"table.move", "(a1, f, e, t [, a2])",
       "Copies a1[f] to a1[e] to the places from `t` on, in the same table or in `a2`, and returns that table."},
      {"table.pack", "(...)", "Returns its arguments as a table, with their number in the field `n`."},
      {"table.remove", "(list [, pos])",
       "Takes the value at `pos`, by default the last one, out of a list and returns it; what follows moves down."},
      {"table.sort", "(list [, comp])",
       "Sorts a list in place. `comp(a, b)` tells whether a must come before b (by default `a < b`), so it is false for "
       "equal ones. Equal elements may change places."},
      {"table.unpack", "(list [, i [, j]])", "Returns the elements of a list, from `i` (1) to `j` (its length)."},
      {"table.maxn", "(t)", "Returns the greatest number that is a key (5.1 and LuaJIT)."},
      {"table.getn", "(t)", "Returns the length of a list: `#t`."},
      {"table.foreach", "(t, f)", "Calls `f` with each key and value: use `pairs`."},
      {"table.foreachi", "(t, f)", "Calls `f` with each index and element: use `ipairs`."},
      {"table.new", "(narray, nhash)", "Makes a table with room for so many elements and fields (LuaJIT)."},
      {"table.clear", "(t)", "Takes all fields out of a table and keeps its room (LuaJIT)."},

      // ---- utf8 ----
      {"utf8", "", "Characters of UTF-8 in strings. Positions are bytes; `lax` also takes codes up to 2^31."},
      {"utf8.char", "(...)", "Returns the characters with these codes as a string."},
      {"utf8.charpattern", "", "A pattern that matches one character: `for c in s:gmatch(utf8.charpattern) do`."},
      {"utf8.codepoint", "(s [, i [, j [, lax]]])",
       "Returns the codes of the characters that start from position `i` (1) to `j` (i). Raises an error at invalid "
       "bytes."},
      {"utf8.codes", "(s [, lax])",
       "For `for p, c in utf8.codes(s) do`: visits each character's position and code. Raises an error at invalid bytes."},
      {"utf8.len", "(s [, i [, j [, lax]]])",
       "Returns the number of characters that start from position `i` (1) to `j` (-1), or nil and the position of the "
       "first invalid byte."},
      {"utf8.offset", "(s, n [, i])",
       "Returns the position of the `n`th character, counted from position `i`; n = 0 finds the start of the character "
       "that holds byte i."},

      // ---- bit operations: bit32 of 5.2, bit of LuaJIT ----
      {"bit", "", "Operations on the bits of numbers, which are taken as integers of 32 bits (LuaJIT)."},
      {"bit.arshift", "(x, n)", "Shifts `x` right by `n` bits and keeps its sign."},
      {"bit.band", "(x, ...)", "Returns the bits that are set in all arguments."},
      {"bit.bnot", "(x)", "Returns `x` with each bit turned."},
      {"bit.bor", "(x, ...)", "Returns the bits that are set in any argument."},
      {"bit.bswap", "(x)", "Returns `x` with its bytes in reverse order."},
      {"bit.bxor", "(x, ...)", "Returns the bits that are set in an odd number of arguments."},
      {"bit.lshift", "(x, n)", "Shifts `x` left by `n` bits."},
      {"bit.rol", "(x, n)", "Rotates `x` left by `n` bits."},
      {"bit.ror", "(x, n)", "Rotates `x` right by `n` bits."},
      {"bit.rshift", "(x, n)", "Shifts `x` right by `n` bits, with zeros from the left."},
      {"bit.tobit", "(x)", "Brings a number into the range of these operations."},
      {"bit.tohex", "(x [, n])", "Returns `x` as `n` (8) hexadecimal digits, capital ones if n is negative."},

      // ---- bit32 of 5.3, where it was built with what 5.2 had ----
      {"bit32", "",
       "Operations on the bits of numbers, which are taken as integers of 32 bits without a sign. 5.3 has operators too."},
      {"bit32.arshift", "(x, disp)",
       "Shifts `x` right by `disp` bits and fills with its highest bit; to the left if `disp` is negative."},
      {"bit32.band", "(...)", "Returns the bits that are set in all arguments."},
      {"bit32.bnot", "(x)", "Returns `x` with each bit turned."},
      {"bit32.bor", "(...)", "Returns the bits that are set in any argument."},
      {"bit32.btest", "(...)", "Tells whether any bit is set in all arguments."},
      {"bit32.bxor", "(...)", "Returns the bits that are set in an odd number of arguments."},
      {"bit32.extract", "(n, field [, width])",
       "Returns `width` (1) bits of `n` as a number: from bit `field` on, where 0 is the lowest."},
      {"bit32.lrotate", "(x, disp)", "Rotates `x` left by `disp` bits; to the right if `disp` is negative."},
      {"bit32.lshift", "(x, disp)", "Shifts `x` left by `disp` bits; to the right if `disp` is negative."},
      {"bit32.replace", "(n, v, field [, width])",
       "Returns `n` with `width` (1) of its bits, from bit `field` on, replaced by those of `v`."},
      {"bit32.rrotate", "(x, disp)", "Rotates `x` right by `disp` bits; to the left if `disp` is negative."},
      {"bit32.rshift", "(x, disp)",
       "Shifts `x` right by `disp` bits, with zeros from the left; to the left if `disp` is negative."},

      // ---- jit and ffi of LuaJIT ----
      {"jit", "", "Control of LuaJIT's compiler."},
      {"jit.arch", "", "The processor that the compiler makes code for, such as \"x64\"."},
      {"jit.attach", "(callback [, event])", "Has a function called at events of the compiler."},
      {"jit.flush", "([f [, recursive]])", "Throws compiled code away: all, or that of a function."},
      {"jit.off", "([f [, recursive]])", "Switches the compiler off, for everything or for a function."},
      {"jit.on", "([f [, recursive]])", "Switches the compiler on, for everything or for a function."},
      {"jit.opt", "", "Control of the compiler's optimizations: `jit.opt.start(...)`."},
      {"jit.os", "", "The system that LuaJIT runs on, such as \"Linux\"."},
      {"jit.security", "(param)", "Returns how LuaJIT is secured in one respect, as a number."},
      {"jit.status", "()", "Returns whether the compiler is on, and what it uses."},
      {"jit.version", "", "The version of LuaJIT as text."},
      {"jit.version_num", "", "The version of LuaJIT as a number."},
      {"ffi", "", "Calls of C functions and C data from Lua code: `local ffi = require 'ffi'`."},
      {"ffi.abi", "(param)", "Tells whether the system has a property, such as \"64bit\" or \"le\"."},
      {"ffi.alignof", "(ct)", "Returns the alignment of a C type in bytes."},
      {"ffi.C", "", "The C library, and all that the program itself exports."},
      {"ffi.cast", "(ct, init)", "Makes C data of a type from a value, by the rules of a cast in C."},
      {"ffi.cdef", "(def)", "Declares C types and functions, written as in C."},
      {"ffi.copy", "(dst, src [, len])", "Copies bytes, or a string with its final zero."},
      {"ffi.errno", "([newerr])", "Returns the error number of the last C function that failed, and sets it if asked."},
      {"ffi.fill", "(dst, len [, c])", "Sets bytes to `c` (0)."},
      {"ffi.gc", "(cdata, finalizer)", "Has a function called when C data is collected; nil takes it away."},
      {"ffi.istype", "(ct, obj)", "Tells whether a value is C data of that type."},
      {"ffi.load", "(name [, global])", "Loads a C library and returns it: its functions are fields."},
      {"ffi.metatype", "(ct, metatable)", "Gives a C struct a metatable, for good, and returns the type."},
      {"ffi.new", "(ct [, nelem] [, init, ...])", "Makes C data of a type, with starting values."},
      {"ffi.offsetof", "(ct, field)", "Returns where a field of a C struct starts, in bytes."},
      {"ffi.sizeof", "(ct [, nelem])", "Returns the size of a C type in bytes."},
      {"ffi.string", "(ptr [, len])", "Makes a Lua string from C bytes, up to a zero if there is no length."},
      {"ffi.typeof", "(ct)", "Returns a C type as a value: calling it makes data of that type."},
      {"bar:finish", "(bar)", "Fills the bar and ends it. Returns the bar."},
      {"bar:label", "(bar, text)", "Gives the bar another label. Returns the bar."},
      {"bar:set", "(bar, n)", "Sets how much is done. Returns the bar."},
      {"bar:update", "(bar [, n])", "Adds `n` (1) to what is done. Returns the bar."},
      {"comm:close", "(comm [, data [, metadata [, buffers]]])",
       "Closes the comm, with a last message. A second time it does nothing."},
      {"comm:on_close", "(comm, handler)",
       "Has `handler(comm, message)` called when the frontend closes the comm; nil takes it away. Returns the comm."},
      {"comm:on_message", "(comm, handler)",
       "Has `handler(comm, message)` called for each message, with the fields `data`, `metadata` and `buffers`; nil takes "
       "it away. Returns the comm."},
      {"comm:send", "(comm [, data [, metadata [, buffers]]])",
       "Sends a message to the frontend. `data` and `metadata` are tables that are JSON objects, `buffers` is a list of "
       "strings of bytes."},
      {"handle:update", "(handle, value [, options])", "Replaces what the handle's display shows, wherever it is shown."},
      {"jupyter", "",
       "Rich output, prompts, progress bars and comms, from `require \"jupyter\"`: what a notebook has over a terminal."},
      {"jupyter.array", "([t])", "Marks a table, a new one by default, as a JSON array even when it is empty. Returns it."},
      {"jupyter.clear_output", "([wait])",
       "Takes away what the cell has shown, or with true does so when the next output comes."},
      {"jupyter.comm", "", "Comms: lines to objects in the frontend, of which widgets are made."},
      {"jupyter.comm.open", "(target [, data [, metadata [, buffers]]])",
       "Opens a comm to a target that the frontend knows and returns it. `data` and `metadata` are tables that are JSON "
       "objects, `buffers` is a list of strings of bytes."},
      {"jupyter.comm.register", "(target, handler)",
       "Has `handler(comm, message)` called when the frontend opens a comm to that target. An error in it refuses the "
       "comm."},
      {"jupyter.comm.unregister", "(target)", "Forgets the target."},
      {"jupyter.display", "(value [, options])",
       "Shows a value as a cell does, or a table from mime type to value. Options are `id` and `metadata`. Returns a "
       "handle with `update(value)`."},
      {"jupyter.html", "(text [, options])", "Shows HTML."},
      {"jupyter.image", "(bytes_or_file [, options])",
       "Shows a PNG, JPEG, GIF or WebP image: its bytes or its file's name. Options are `width` and `height` too."},
      {"jupyter.input", "([prompt])", "Asks the user for a line. Returns nil at the end of input."},
      {"jupyter.json", "(value [, options])",
       "Shows a value as JSON, which JupyterLab folds; the option `expanded` unfolds it."},
      {"jupyter.latex", "(text [, options])", "Shows LaTeX, with its formulas between dollars."},
      {"jupyter.markdown", "(text [, options])", "Shows Markdown."},
      {"jupyter.null", "", "What stands for null in JSON."},
      {"jupyter.password", "([prompt])", "Asks the user for a line that is not shown while it is typed."},
      {"jupyter.plotly", "(figure [, options])",
       "Shows a Plotly figure: a table with `data` and `layout`, or the text of such JSON."},
      {"jupyter.progress", "([total [, options]])",
       "Shows a bar and returns it: `update([n])`, `set(n)`, `label(text)`, `finish()`. The option `label` names it."},
      {"jupyter.progress_of", "(list_or_iterator [, options])",
       "Iterates over a list or an iterator's values, with a bar that counts them. Options are `label` and `total`; "
       "`progress_of(pairs(t))` takes none."},
      {"jupyter.svg", "(text [, options])", "Shows a picture in SVG."},
      {"jupyter.update", "(id, value [, options])", "Replaces what is shown under an id, in whichever cell."},
      {"jupyter.vegalite", "(spec [, options])", "Draws a Vega-Lite chart: a table, or the text of such JSON."},
  };
  return entries;
}

const StandardEntry* keyword_entry(std::string_view keyword) {
  static const std::vector<StandardEntry> entries = {
      {"and", "a and b", "Returns `a` if that is false or nil, and `b` otherwise, which is evaluated only then."},
      {"break", "break", "Leaves the innermost loop."},
      {"do", "do … end", "A block: local variables in it end with it. Also starts the body of while and for."},
      {"else", "if … then … else … end", "What an if does when no condition holds."},
      {"elseif", "if … then … elseif … then … end", "One more condition of an if, tried when those before it do not hold."},
      {"end", "… end", "Ends a function, an if, a loop or a do block."},
      {"false", "false", "The one value, besides nil, that conditions take as not holding."},
      {"for", "for i = first, last [, step] do … end\nfor k, v, … in iterator do … end",
       "Repeats a block: counting, or for each value that an iterator such as `pairs(t)`, `ipairs(t)` or "
       "`io.lines(name)` returns."},
      {"function", "function name(…) … end\nlocal function name(…) … end\nfunction (…) … end",
       "Defines a function. `function t.f()` sets a field, `function t:f()` a method, which has a first parameter "
       "`self`; `...` takes any number of arguments."},
      {"goto", "goto name",
       "Goes on at the label `::name::`, in this block or one around it, inside of the same function."},
      {"if", "if condition then … [elseif condition then …] [else …] end",
       "Does one thing or another. Only false and nil do not hold: 0 and \"\" do."},
      {"in", "for … in … do … end", "Stands before the iterator of a for."},
      {"local", "local name [, name …] [= value …]\nlocal function name(…) … end",
       "Declares variables that end with their block, in a notebook with the cell. In 5.4 `<const>` and `<close>` after a "
       "name make a constant, and a value whose `__close` is called at the end."},
      {"nil", "nil", "The value of what has none. Conditions take it as not holding; setting a field to it removes it."},
      {"not", "not a", "Returns true if `a` is false or nil, and false otherwise."},
      {"or", "a or b", "Returns `a` if that is neither false nor nil, and `b` otherwise, which is evaluated only then."},
      {"repeat", "repeat … until condition",
       "Repeats a block until a condition holds, at least once. The condition sees the block's local variables."},
      {"return", "return [value …]", "Ends a function, or a cell, with these results. It must be the last of its block."},
      {"then", "if … then … end", "Stands after the condition of an if."},
      {"true", "true", "The value of a condition that holds."},
      {"until", "repeat … until condition", "Stands before the condition that ends a repeat."},
      {"while", "while condition do … end", "Repeats a block as long as a condition holds."},
  };
  const auto found =
      std::find_if(entries.begin(), entries.end(), [&](const StandardEntry& entry) { return entry.name == keyword; });
  return found == entries.end() ? nullptr : &*found;
}

}  // namespace lua_kernel

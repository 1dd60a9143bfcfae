# Cross-compiles with zig, which brings the headers and libraries of other systems along: give ZIG, the program, and
# ZIG_TARGET, such as aarch64-linux-gnu.2.28 (the number is the oldest C library to run with).
if(NOT ZIG OR NOT ZIG_TARGET)
  message(FATAL_ERROR "cmake/zig.cmake needs -DZIG=PROGRAM and -DZIG_TARGET=PROCESSOR-SYSTEM-LIBRARY")
endif()
list(APPEND CMAKE_TRY_COMPILE_PLATFORM_VARIABLES ZIG ZIG_TARGET)

string(REGEX MATCH "^([^-]+)-([^-.]+)" _ "${ZIG_TARGET}")
set(CMAKE_SYSTEM_PROCESSOR ${CMAKE_MATCH_1})
set(systems linux Linux windows Windows macos Darwin)
list(FIND systems ${CMAKE_MATCH_2} at)
math(EXPR at "${at} + 1")
list(GET systems ${at} CMAKE_SYSTEM_NAME)

# zig compiles the libraries of a system when it links for the first time, and again for another level of optimisation.
set(CMAKE_TRY_COMPILE_TARGET_TYPE STATIC_LIBRARY)
set(CMAKE_C_COMPILER ${ZIG} cc -target ${ZIG_TARGET})
set(CMAKE_CXX_COMPILER ${ZIG} c++ -target ${ZIG_TARGET})
# What cmake calls with one word is a little script beside the build.
foreach(tool ar ranlib)
  file(WRITE ${CMAKE_BINARY_DIR}/zig-${tool} "#!/bin/sh\nexec '${ZIG}' ${tool} \"$@\"\n")
  file(CHMOD ${CMAKE_BINARY_DIR}/zig-${tool} PERMISSIONS OWNER_READ OWNER_WRITE OWNER_EXECUTE)
  string(TOUPPER ${tool} variable)
  set(CMAKE_${variable} ${CMAKE_BINARY_DIR}/zig-${tool})
endforeach()

# Of macOS: a tool that zig lacks, and that nobody needs as nothing is installed; and an option of the linker.
set(CMAKE_INSTALL_NAME_TOOL true)
set(CMAKE_USER_MAKE_RULES_OVERRIDE ${CMAKE_CURRENT_LIST_DIR}/zig_linker.cmake)

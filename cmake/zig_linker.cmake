# After the settings of the system: zig's linker for macOS makes libraries but no bundles. Python loads both.
if(APPLE)
  foreach(language C CXX)
    set(CMAKE_SHARED_MODULE_CREATE_${language}_FLAGS -dynamiclib)
  endforeach()
endif()

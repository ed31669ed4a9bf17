# SPDX-License-Identifier: Apache-2.0
#
# One static library per folder. A header is included by its path from the root ("base/error.h"), and is visible only to
# those that name its folder under DEPENDS: each library publishes an include directory of its own, which holds nothing
# but a link to its folder.

set(BERTH_INCLUDE_ROOT ${CMAKE_BINARY_DIR}/include)

function(berth_publish name folder)
	get_filename_component(parent ${folder} DIRECTORY)
	file(MAKE_DIRECTORY ${BERTH_INCLUDE_ROOT}/${name}/${parent})
	file(CREATE_LINK ${CMAKE_SOURCE_DIR}/${folder} ${BERTH_INCLUDE_ROOT}/${name}/${folder} SYMBOLIC)
endfunction()

# berth_library(NAME FOLDER [DEPENDS library...] [LINK external...] [EXCLUDE file...])
# Every .c file of FOLDER but main.c, not those of its sub-folders.
function(berth_library name folder)
	cmake_parse_arguments(arg "" "" "DEPENDS;LINK;EXCLUDE" ${ARGN})
	file(GLOB sources CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/${folder}/*.c)
	list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${folder}/main.c)
	foreach(file ${arg_EXCLUDE})
		list(REMOVE_ITEM sources ${CMAKE_SOURCE_DIR}/${folder}/${file})
	endforeach()
	if(NOT sources)
		message(FATAL_ERROR "${folder}: there is no C file for the library ${name}")
	endif()
	berth_publish(${name} ${folder})
	add_library(${name} STATIC ${sources})
	target_include_directories(${name} PUBLIC ${BERTH_INCLUDE_ROOT}/${name})
	target_link_libraries(${name} PUBLIC ${arg_DEPENDS} ${arg_LINK} PRIVATE berth-flags)
endfunction()

# berth_program(NAME SOURCES file... [DEPENDS library...] [LINK external...] [STATIC])
function(berth_program name)
	cmake_parse_arguments(arg "STATIC" "" "SOURCES;DEPENDS;LINK" ${ARGN})
	list(TRANSFORM arg_SOURCES PREPEND ${CMAKE_SOURCE_DIR}/)
	add_executable(${name} ${arg_SOURCES})
	if(arg_STATIC)
		target_link_libraries(${name} PRIVATE berth-static-flags ${arg_DEPENDS} ${arg_LINK})
	else()
		target_link_libraries(${name} PRIVATE berth-flags ${arg_DEPENDS} ${arg_LINK})
	endif()
	set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/bin)
endfunction()

# Another name of a program: a link beside it, and beside where it is installed (see the install rules).
function(berth_alias name program)
	add_custom_command(TARGET ${program} POST_BUILD
		COMMAND ${CMAKE_COMMAND} -E create_symlink ${program} ${CMAKE_BINARY_DIR}/bin/${name} VERBATIM)
endfunction()

# One test program for each tests/unit/<library>/test_*.c, linked with that library. Exit 77 means skipped, with the reason
# in the output.
function(berth_unit_tests library)
	cmake_parse_arguments(arg "" "" "DEPENDS" ${ARGN})
	file(GLOB tests CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${library}/test_*.c)
	file(GLOB helpers CONFIGURE_DEPENDS ${CMAKE_SOURCE_DIR}/tests/unit/${library}/*.c)
	list(FILTER helpers EXCLUDE REGEX "/test_[^/]*\\.c$")
	foreach(source ${tests})
		get_filename_component(file ${source} NAME_WE)
		string(REGEX REPLACE "^test_" "" file ${file})
		set(target unit-${library}-${file})
		add_executable(${target} ${source} ${helpers})
		target_link_libraries(${target} PRIVATE berth-flags berth-test-flags ${library} ${arg_DEPENDS}
			PkgConfig::cmocka)
		target_compile_definitions(${target} PRIVATE BERTH_SOURCE_DIR="${CMAKE_SOURCE_DIR}"
			BERTH_BINARY_DIR="${CMAKE_BINARY_DIR}/bin")
		set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY ${CMAKE_BINARY_DIR}/tests)
		add_test(NAME ${target} COMMAND ${target})
		set_tests_properties(${target} PROPERTIES SKIP_RETURN_CODE 77 TIMEOUT 300)
		if(file MATCHES "^live_")
			set_tests_properties(${target} PROPERTIES RUN_SERIAL ON LABELS live)
		endif()
	endforeach()
endfunction()

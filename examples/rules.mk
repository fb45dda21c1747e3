$(eval $(call guest_program,hello,examples/hello/hello.c,32 64))
$(eval $(call guest_program,test-library,tests/guests/library.c tests/guests/check.c,32 64))

$(eval $(call guest_program,hello,examples/hello/hello.c,32 64))

/* temporary */
#include <stdio.h>
#include <pv/pv.h>
int main(int argc, char **argv) { printf("hello from %d bits, %d args\n", (int)sizeof(long)*8, argc); return 0; }

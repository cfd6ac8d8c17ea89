/* What test-claim.c copies and opens under the names of NVIDIA's libraries. */
extern const char plStubOfALibrary;
const char plStubOfALibrary = 1;

// Carries the precompiled headers of all tests (CMakeLists.txt).
int main() {}

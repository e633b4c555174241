/* The smallest CGI program worth measuring: what it costs is what starting a program costs. */

#include <stdio.h>

int main(void)
{
    fputs("Content-Type: text/plain\r\nContent-Length: 22\r\n\r\nHello from a program.\n", stdout);
    return 0;
}

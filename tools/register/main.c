/* register: print contracts/register.txt.  By hand, when a number was added: ninja -C build/dev register */
#include <stdio.h>

#include "contracts/exec.h"

int main(void)
{
    static char text[1 << 18];

    if (exec_register_text(registry_here.modules, text, sizeof text) != ERR_OK) {
        (void)fprintf(stderr, "register: the text is longer than %zu bytes\n", sizeof text);
        return 1;
    }
    return fputs(text, stdout) == EOF;
}

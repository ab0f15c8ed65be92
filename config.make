
# Warnings that are errors in the code of this repository: the top Makefile
# asks for them.  nginx's own code, with a distribution's patches, is compiled
# with nginx's own.

if [ -n "$NGX_EGRESS_CFLAGS" ]; then
    cat << END >> $NGX_MAKEFILE

$NGX_OBJS/addon/%.o: CFLAGS += $NGX_EGRESS_CFLAGS

END
fi

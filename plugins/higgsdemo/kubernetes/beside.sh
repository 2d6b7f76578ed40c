umask 002
trap 'trap "" TERM; kill 0; exit 143' TERM
turn=0
while :; do
    until [ -e "$WORK_DIR/$turn.sh" ]; do
        [ ! -e "$WORK_DIR/end" ] || break 2
        sleep 0.1 2>/dev/null || sleep 1
    done
    (
        . "$WORK_DIR/$turn.sh"
        {
            "$@" 2>&1
            echo $? >"$WORK_DIR/$turn.code"
            { times; [ $$ != 1 ] || cat /sys/fs/cgroup/memory.peak; } >"$WORK_DIR/$turn.used" 2>/dev/null
        } | tee "$WORK_DIR/$turn.log"
    ) &
    wait $!
    : >"$WORK_DIR/$turn.ended"
    turn=$((turn + 1))
done
read -r code <"$WORK_DIR/end"
[ "$code" = 0 ] || cat "$WORK_DIR/reason" >"${TERMINATION_MESSAGE_PATH:-/dev/termination-log}"
exit "$code"

#!/bin/sh
# Bring the lessons of the student whose server starts up to date. What they
# have changed stays as it is: see README.md. It works on a copy and puts that
# in place when it is complete, so a pull that is killed leaves nothing broken;
# and it never fails, for nobody shall stand before a closed door.
cd "$HOME" || exit 0
note=LESSONS_ARE_NOT_UP_TO_DATE.txt

if [ ! -e lessons ] && [ -e .lessons.old ]; then  # killed between the moves
    mv .lessons.old lessons
fi
rm -rf .lessons.new .lessons.old

pull() {
    if [ -e lessons ]; then
        cp -a --reflink=auto lessons .lessons.new || return
        find .lessons.new/.git -name '*.lock' -delete
    fi
    timeout 60 gitpuller "$LESSONS_FROM" main .lessons.new || return
    if [ -e lessons ]; then
        mv lessons .lessons.old || return
    fi
    mv .lessons.new lessons && rm -rf .lessons.old
}

if pull >.lessons.log 2>&1; then
    rm -f "$note"
    # Jupyter may show the figures of what the teacher has handed out.
    sign='from tools.author.trust import published'
    sign="$sign; published('lessons', 'origin/main')"
    PYTHONPATH="${0%/*}/../../.." timeout 30 \
        python -P -c "$sign" >>.lessons.log 2>&1
else
    echo "No lessons fetched for $USER:" >&2
    tail -n 5 .lessons.log >&2
    {
        echo 'New lessons could not be fetched; what you have is untouched.'
        echo 'They are fetched anew when you log in the next time.'
        echo 'If this file stays, show it to your teacher:'
        echo
        tail -n 5 .lessons.log
    } >"$note"
fi
exit 0

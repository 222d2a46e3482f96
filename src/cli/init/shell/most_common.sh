# Arguments: file to write, number of words, counts, and the file of verdicts if there is one.
out=$1 words=$2 counts=$3
shift 3
cat "$@" /dev/null | awk -F, '$2 == "exclude" { print "\"" $1 "\"" }' > excluded
# A line of the counts is {"count":3,"word":"the"}.
grep -v -F -f excluded "$counts" | head -n "$words" | awk -F '[":,{}]+' '{ print $3, $5 }' > "$out"

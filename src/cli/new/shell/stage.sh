# Counts the words of text files. Arguments: the table to write, the shortest word in letters, the files.
set -eu
counts=$1 min_letters=$2
shift 2
for text in "$@"; do
    words=$(tr -s '[:space:]' '\n' < "$text" | awk -v least="$min_letters" 'length($0) >= least' | wc -l)
    # Unescaped quotes and backslashes in a name are not valid JSON.
    name=$(basename "$text" | sed 's/["\\]/\\&/g')
    printf '{"text": "%s", "words": %d}\n' "$name" "$words"
done > "$counts"

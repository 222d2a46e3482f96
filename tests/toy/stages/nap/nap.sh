from=$(date +%s.%N)
sleep 1
echo "$from $(date +%s.%N)" > "$1"

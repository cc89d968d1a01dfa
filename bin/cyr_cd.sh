# cyr_cd MAILBOX: change to the directory of a mailbox. To be read by a shell: . cyr_cd.sh
# Arguments are those of mbpath(8), which must be found in PATH.

cyr_cd() {
    cyr_cd_path=$(mbpath "$@") || cyr_cd_path=
    if [ -n "$cyr_cd_path" ]; then
        cd "$cyr_cd_path"
    fi
}

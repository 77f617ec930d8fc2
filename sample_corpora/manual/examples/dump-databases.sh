#!/bin/sh
# Export the databases of a home server before a run.
#
# Used as a "before" hook of the plan "services":
#
#     [plans.services.hooks]
#     before = ["/etc/dunnock/dump-databases.sh"]
#
# Any failure ends the script with a status other than zero. Dunnock then
# cancels the run with DN-210, and the last good snapshot stays the newest.

set -eu
umask 077

dumps=/srv/dumps
mkdir -p "$dumps"

# Write to a temporary name and rename on success, so that an export that
# breaks off halfway never replaces the one from yesterday.
export_to() {
    target=$1
    shift
    "$@" > "$target.part"
    if [ ! -s "$target.part" ]; then
        echo "empty export: $target" >&2
        exit 1
    fi
    mv "$target.part" "$target"
    echo "wrote $target ($(wc -c < "$target") bytes)"
}

# PostgreSQL, all databases. Left uncompressed: Dunnock compresses by itself,
# and unchanged parts are recognized from one night to the next.
export_to "$dumps/postgres.sql" \
    runuser -u postgres -- pg_dumpall --clean

# MariaDB, without locking the tables.
export_to "$dumps/mariadb.sql" \
    mariadb-dump --all-databases --single-transaction

# The photo service runs in a container; use the client inside it.
export_to "$dumps/photos.sql" \
    docker exec photos-db pg_dump -U photos photos

# Home Assistant keeps its history in SQLite.
sqlite3 /srv/homeassistant/home-assistant_v2.db \
    ".backup '$dumps/ha.db.part'"
mv "$dumps/ha.db.part" "$dumps/ha.db"

# Warn the log if the exports have become unusually small.
total=$(du -sk "$dumps" | cut -f1)
if [ "$total" -lt 1024 ]; then
    echo "exports add up to less than 1 MiB, refusing" >&2
    exit 1
fi

#!/bin/sh
# The `hotdesk` command of the image, which holds the product as files and not as an installed distribution.
exec /opt/hotdesk/bin/python -c 'from hotdesk.cli import main; main(prog_name="hotdesk")' "$@"

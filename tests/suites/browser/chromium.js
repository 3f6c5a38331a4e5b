// Debian's Chromium, without its background activity.

import { chromium } from 'playwright-core';

/** Starts the browser. The name rebound.example resolves to this machine, as an attacker's name can. */
export const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync', '--host-resolver-rules=MAP rebound.example 127.0.0.1'],
});

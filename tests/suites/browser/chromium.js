// The browser: Debian's Chromium, without what it would do on its own.

import { chromium } from 'playwright-core';

/** Starts it. */
export const launch = () => chromium.launch({
  executablePath: '/usr/bin/chromium',
  args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-background-networking',
    '--disable-component-update', '--disable-sync'],
});

// Checks a report of `barewire compare` in a browser, at two widths, light and dark. Prints one
// line per check.
//
//   node report.js FILE.html [FOLDER]     FOLDER receives the screenshots, report-WIDTH-SCHEME.png [out]

import { mkdirSync, readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { launch } from './chromium.js';

const WIDTHS = [1280, 390];
const SCHEMES = ['light', 'dark'];
/** The minimum size of letters in charts, in pixels. */
const SMALLEST = 11;

const [file, folder = new URL('out/', import.meta.url).pathname] = process.argv.slice(2);
if (!file) {
  console.error('usage: node report.js FILE.html [FOLDER]');
  process.exit(2);
}
mkdirSync(folder, { recursive: true });
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const browser = await launch();

let passed = 0;
let failed = 0;
/** @param {string} name @param {string[]} wrong the problems found */
function check(name, wrong) {
  if (wrong.length === 0) {
    passed += 1;
    console.log(`ok      ${name}`);
  } else {
    failed += 1;
    console.log(`FAILED  ${name}\n        ${wrong.join('\n        ')}`);
  }
}

/** Returns the elements that are wider than the page and outside a scrolling container. */
const overflowing = (page) => page.evaluate(() => {
  const width = document.documentElement.clientWidth;
  const wrong = document.documentElement.scrollWidth > width ? [`the page is ${document.documentElement.scrollWidth} px wide`] : [];
  for (const element of document.querySelectorAll('body *')) {
    const box = element.getBoundingClientRect();
    const isUnseen = box.width === 0 || element.closest('.unseen');
    if (box.right > width + 0.5 && !isUnseen && !element.parentElement.closest('.scroll')) {
      wrong.push(`<${element.localName}> ends at ${box.right.toFixed(0)} px`);
    }
  }
  return wrong;
});

/**
 * Checks the visible charts for letters that are too small, outside their chart, or overlapping.
 */
const letters = (page, smallest) => page.evaluate((smallest) => {
  const wrong = [];
  const shown = [...document.querySelectorAll('svg[role=img]')].filter((svg) => svg.getBoundingClientRect().width > 0);
  if (shown.length === 0) wrong.push('no chart is visible');
  for (const svg of shown) {
    const picture = svg.getBoundingClientRect();
    const scale = picture.width / svg.viewBox.baseVal.width;
    const texts = [...svg.querySelectorAll('text')].map((text) => ({
      words: text.textContent, box: text.getBoundingClientRect(), size: Number.parseFloat(getComputedStyle(text).fontSize) * scale,
    }));
    if (texts.length === 0) wrong.push('a chart has no text');
    for (const [at, { words, box, size }] of texts.entries()) {
      if (size < smallest) wrong.push(`“${words}” has letters of ${size.toFixed(1)} px`);
      if (box.left < picture.left - 1 || box.right > picture.right + 1 || box.top < picture.top - 1 || box.bottom > picture.bottom + 1) {
        wrong.push(`“${words}” is partly outside its chart`);
      }
      for (const other of texts.slice(at + 1)) {
        const across = Math.min(box.right, other.box.right) - Math.max(box.left, other.box.left);
        const down = Math.min(box.bottom, other.box.bottom) - Math.max(box.top, other.box.top);
        if (across > 1 && down > 3) wrong.push(`“${words}” and “${other.words}” overlap`);
      }
    }
  }
  return wrong;
}, smallest);

/** Returns the charts without a name, and those whose figures are not in a table. */
const nameless = (page) => page.evaluate(() => [...document.querySelectorAll('svg:not([aria-hidden=true])')].flatMap((svg) => {
  const parts = (svg.getAttribute('aria-labelledby') ?? '').split(' ').map((id) => document.getElementById(id)?.textContent ?? '');
  const wrong = [];
  if (svg.getAttribute('role') !== 'img') wrong.push('a chart has no role of an image');
  if (parts.length < 2 || parts.some((text) => text.trim() === '')) wrong.push('a chart has no name, or no description');
  if (!svg.closest('section')?.querySelector('table')) wrong.push(`“${parts[0]}” has no table`);
  return wrong;
}));

for (const width of WIDTHS) {
  for (const colorScheme of SCHEMES) {
    const where = `${width} px, ${colorScheme}`;
    const context = await browser.newContext({ viewport: { width, height: 900 }, colorScheme, deviceScaleFactor: width < 500 ? 2 : 1 });
    const page = await context.newPage();
    const errors = [];
    const requests = [];
    page.on('console', (message) => { if (message.type() === 'error') errors.push(message.text()); });
    page.on('pageerror', (error) => errors.push(String(error)));
    page.on('request', (request) => requests.push(request.url()));
    await page.goto(pathToFileURL(resolve(file)).href);
    check(`${where}: the report requests no other file`, requests.slice(1));
    check(`${where}: the report fits its width`, await overflowing(page));
    check(`${where}: letters in charts are large enough and do not overlap`, await letters(page, SMALLEST));
    check(`${where}: each chart has a name, and its figures are in a table`, await nameless(page));
    await page.screenshot({ path: `${folder}/report-${width}-${colorScheme}.png`, fullPage: true });
    // The top of the page, as docs/compare.md shows it.
    const height = width < 500 ? 1500 : 1400;
    await page.screenshot({ path: `${folder}/report-top-${width}-${colorScheme}.png`, clip: { x: 0, y: 0, width, height }, fullPage: true });
    // The folded details are checked too.
    await page.evaluate(() => { for (const details of document.querySelectorAll('details')) details.open = true; });
    check(`${where}: the report fits its width, unfolded`, await overflowing(page));
    await page.evaluate(axe);
    const { violations, passes } = await page.evaluate(() => globalThis.axe.run());
    const found = violations.flatMap(({ id, help, nodes }) => nodes.map(({ html }) => `${id}: ${help}: ${html.slice(0, 160)}`));
    check(`${where}: axe finds no problem`, passes.length > 0 ? found : ['axe checked nothing']);
    check(`${where}: no errors`, errors);
    await context.close();
  }
}

await browser.close();
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// The client under test: EventSource of the npm package that is named first, `eventsource` or
// `undici`. It prints each event as a line of JSON.
//
//   barewire conform client --suite sse --run 'node eventsource.js eventsource {url}'
const [name, url] = process.argv.slice(2)
const { EventSource } = require(name)

const print = EventSource.prototype.dispatchEvent ?? EventTarget.prototype.dispatchEvent
EventSource.prototype.dispatchEvent = function (event) {
  // An event of any type, also of one that nobody has named before.
  if ('lastEventId' in event) {
    const line = JSON.stringify({ id: event.lastEventId, event: event.type, data: event.data })
    process.stdout.write(`${line}\n`)
  }
  return print.call(this, event)
}

const source = new EventSource(url)
// Without a listener, the package reports an error as uncaught.
source.onerror = () => {}

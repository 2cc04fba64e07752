// What the peers in Node have in common; pace.py says the same for Python.

const work = JSON.parse(process.argv[2]);
const STAMP = "1763841600123.456";
const SETTLE_MS = 300;

function json(number, birth, padding) {
  return (
    `{"type":"llm.delta","run":"r_${"0".repeat(26)}","seq":${number},"id":"epoch6-${number}",` +
    `"ts":${STAMP},"at":${STAMP},"task":"synthetic","agent":"Synthetic",` +
    `"data":{"call":"synthetic","text":"${String(number).padStart(8, "0")}${padding} ",` +
    `"kind":"text","t":${birth}}}`
  );
}

/** Wait for all subscribers, then `say(number, json)` each event once; ends with stdin. */
export class Peer {
  #here = 0;

  constructor(say) {
    this.say = say;
    process.stdin.resume().on("end", () => process.exit(0));
  }

  joined() {
    this.#here += 1;
    if (this.#here === work.subscribers) setTimeout(() => this.#run(), SETTLE_MS);
  }

  #run() {
    const bare = json(work.events, process.hrtime.bigint(), "").length;
    const padding = ".".repeat(Math.max(0, work.size - bare));
    const begin = performance.now();
    let number = 0;
    const turn = () => {
      number += 1;
      this.say(number, json(number, process.hrtime.bigint(), padding));
      if (number < work.events) later();
    };
    const later = () => {
      const due = work.rate ? begin + ((number + 1) / work.rate) * 1000 : 0;
      const early = due - performance.now();
      if (early > 0) setTimeout(turn, early);
      else setImmediate(turn);
    };
    later();
  }
}

// Requests to the map's functions in Python. Answers never change, so each is requested once.

export class Requests {
  /** @type {Map<string, Promise<any>>} by function and argument */
  #answers = new Map();

  /** @param {import("../shared/dom.js").Panel["server"]} server */
  constructor(server) {
    this.server = server;
  }

  /**
   * @template [T=any]
   * @param {string} name of the function
   * @param {unknown} argument
   * @param {(answer: any) => T} [decode] applied once
   * @returns {Promise<T>} rejects with the server's sentence; the next call then asks again
   */
  ask(name, argument, decode = (answer) => answer) {
    const key = `${name} ${JSON.stringify(argument)}`;
    const known = this.#answers.get(key);
    if (known) return known;
    const answer = this.server[name](argument).then((value) => {
      if (value.error) throw new Error(value.error);
      return decode(value);
    });
    answer.catch(() => this.#answers.delete(key));
    this.#answers.set(key, answer);
    return answer;
  }
}

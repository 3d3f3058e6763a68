// Inside the frame: a click hands the person's credential to the page that asked for it, and to no other.
const tell = (message) => parent.postMessage(message, document.body.dataset.origin);

document.querySelector(".person").addEventListener("click", (event) => tell({ ...event.currentTarget.dataset }));
document.querySelector(".close").addEventListener("click", () => tell({ closed: true }));

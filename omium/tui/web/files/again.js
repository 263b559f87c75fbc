// Nothing is kept in the page: where the socket ends, the page says so (body.-closed), and a link opens it anew.
document.addEventListener("contextmenu", (event) => event.preventDefault());

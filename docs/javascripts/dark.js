// A page that is opened from the disk starts no script of the theme: dark is chosen here.
if (location.protocol === "file:" && matchMedia("(prefers-color-scheme: dark)").matches)
  document.body.setAttribute("data-md-color-scheme", "slate");

mod io;
pub use io::*;

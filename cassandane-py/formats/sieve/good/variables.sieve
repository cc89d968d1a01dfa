require ["variables"]; set "a" "b"; set :lower :upperfirst :length :quotewildcard "c" "${a}"; if string :is "${a}" ["b","${1}"] {}
